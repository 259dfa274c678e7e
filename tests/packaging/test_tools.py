"""The repository passes the tools that its rules are written in."""

from __future__ import annotations

from tests.packaging.repository import run, tool


def test_ruff_finds_nothing_to_report() -> None:
    run(tool("ruff"), "check", ".")


def test_ruff_finds_nothing_to_format() -> None:
    run(tool("ruff"), "format", "--check", "--diff", ".")


def test_mypy_strict_passes() -> None:
    run(tool("mypy"))


def test_import_contracts_are_kept() -> None:
    run(tool("lint-imports"), "--no-logo")
