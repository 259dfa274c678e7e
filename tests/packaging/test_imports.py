"""What import-linter cannot see: which modules a command line loads before it needs them."""

from __future__ import annotations

import pytest

from tests.packaging.repository import CommandFailed, run, tool

BLOCKED = ("fastapi", "mitmproxy", "sqlalchemy", "tameflare_dashboard", "tameflare_proxy")

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"`{{name}}` is not installed here", name=name)

sys.meta_path.insert(0, Absent())
import {package}
for found in pkgutil.walk_packages({package}.__path__, "{package}."):
    if not found.name.endswith(".__main__"):  # that one runs the command
        importlib.import_module(found.name)
"""


def test_command_line_needs_no_gateway_to_be_imported() -> None:
    script = IMPORT_EVERYTHING.format(package="tameflare_cli", blocked=BLOCKED)
    run(tool("python"), "-W", "error", "-c", script)


def test_probe_sees_what_is_imported() -> None:
    script = IMPORT_EVERYTHING.format(package="tameflare_cli", blocked=("typer",))
    with pytest.raises(CommandFailed, match="`typer` is not installed here"):
        run(tool("python"), "-c", script)
