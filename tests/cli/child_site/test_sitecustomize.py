"""Python programs under `tf run`: libraries with trust anchors of their own are pointed at ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tameflare_cli

SITE = Path(tameflare_cli.__file__).parent / "child_site"
BUNDLE = "/run/ca-bundle.pem"

type Python = Callable[..., str]


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """What a program prints; `tmp_path` is on its path behind the folder of `tf run`."""

    def run(program: str, *, bundle: str = BUNDLE) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": f"{SITE}:{tmp_path}", "TAMEFLARE_CA_BUNDLE": bundle},
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize(
    ("library", "source", "expression"),
    [
        ("stripe", "ca_bundle_path = '/own.pem'\n", "stripe.ca_bundle_path"),
        ("certifi", "def where(): return '/own.pem'\n", "certifi.where()"),
    ],
)
def test_library_is_pointed_at_the_bundle(
    python: Python, tmp_path: Path, library: str, source: str, expression: str
) -> None:
    package = tmp_path / library
    package.mkdir()
    (package / "__init__.py").write_text(source)
    program = (
        f"import {library}; print({expression}, {library}.__spec__.loader.is_package('{library}'))"
    )
    assert python(program) == f"{BUNDLE} True\n"
    assert python(program, bundle="") == "/own.pem True\n"


def test_requests_verify_with_the_bundle(python: Python) -> None:
    assert python("import requests.certs; print(requests.certs.where())") == f"{BUNDLE}\n"


def test_other_imports_are_left_alone(python: Python) -> None:
    assert python("import json, email.message; print(json.dumps(1))") == "1\n"
    without_packages = "sys.path[:] = [one for one in sys.path if 'site-packages' not in one]"
    shown = python(f"import sys; {without_packages}; import stripe")
    assert "ModuleNotFoundError: No module named 'stripe'" in shown


def test_own_sitecustomize_runs_as_well(python: Python, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("MARK = 'theirs'\nprint('ran')\n")
    assert python("import sitecustomize; print(sitecustomize.MARK)") == "ran\ntheirs\n"


def test_failure_of_another_sitecustomize_stays_its_own(python: Python, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('theirs')\n")
    shown = python("import certifi; print(certifi.where())")
    assert BUNDLE in shown
    assert "theirs" in shown


def test_start_imports_nothing_slow(python: Python) -> None:
    listing = "print([m for m in ('typing', 'pathlib', 're') if m in sys.modules])"
    program = f"import sys; sys.path.insert(0, {str(SITE)!r}); import sitecustomize; {listing}"
    shown = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, timeout=30
    )
    assert (shown.stdout, shown.stderr) == ("[]\n", "")
