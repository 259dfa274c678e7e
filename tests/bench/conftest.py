"""Benchmarks run only when they are asked for: their numbers mean nothing on a busy machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--benchmark"):
        return
    skipped = pytest.mark.skip(reason="a benchmark: run `pytest tests/bench --benchmark`")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(skipped)


@pytest.fixture
def print_table(
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str, Sequence[Sequence[str]]], None]:
    """Prints rows under a title, whatever pytest captures."""

    def show(title: str, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        with capsys.disabled():
            print(f"\n\n{title}")
            for first, *rest in rows:
                cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
                print(f"  {first.ljust(widths[0])}", *cells, sep="  ")

    return show
