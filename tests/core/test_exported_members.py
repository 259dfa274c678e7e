"""The public surface: one name each, all of them there, and cheap to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import tameflare_core


def test_all_is_what_is_exported() -> None:
    assert tameflare_core.__all__ == sorted({*tameflare_core._HOMES, "__version__"})
    assert dir(tameflare_core) == tameflare_core.__all__


def test_type_checkers_see_what_programs_get() -> None:
    tree = ast.parse(Path(tameflare_core.__file__).read_text("utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {
        name.asname: (node.module or "").removeprefix("tameflare_core.")
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert declared == tameflare_core._HOMES


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
    heavy = ["anyio", "asyncio", "dataclasses", "httpx", "pydantic", "ssl", "yaml"]
    code = f"import sys, tameflare_core; print(*({set(heavy)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_lazy_names_load_what_they_need() -> None:
    code = "import sys, tameflare_core; tameflare_core.EnforcingTransport; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"httpx", "pydantic"} <= set(done.stdout.split())
