"""The public surface: one name each, all of them there, and cheap to import."""

from __future__ import annotations

import subprocess
import sys
import types
from importlib.metadata import version

import pytest

import tameflare_core


def test_all_is_what_is_exported() -> None:
    eager = {
        name
        for name, value in vars(tameflare_core).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and name not in {"TYPE_CHECKING", "Any", "annotations"}
    }
    assert tameflare_core.__all__ == sorted(eager | tameflare_core._LAZY.keys() | {"__version__"})


@pytest.mark.parametrize("name", tameflare_core.__all__)
def test_exported_name_is_there(name: str) -> None:
    assert getattr(tameflare_core, name) is not None


@pytest.mark.parametrize("name", [n for n in tameflare_core.__all__ if n != "__version__"])
def test_module_of_exported_name_declares_it(name: str) -> None:
    value = getattr(tameflare_core, name)
    module = sys.modules[getattr(value, "__module__", "")]
    if module.__name__.startswith("tameflare_core"):
        assert name in module.__all__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="`tameflare_core` has no attribute `Nothing`"):
        tameflare_core.Nothing  # noqa: B018


def test_version_is_the_distributions() -> None:
    assert tameflare_core.__version__ == version("tameflare-core")


def test_import_loads_nothing_heavy() -> None:
    heavy = ["anyio", "asyncio", "cryptography", "httpcore", "httpx", "pydantic", "ssl", "yaml"]
    code = f"import sys, tameflare_core; print(*({set(heavy)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_lazy_names_load_what_they_need() -> None:
    code = "import sys, tameflare_core; tameflare_core.EnforcingTransport; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"httpx", "pydantic"} <= set(done.stdout.split())
