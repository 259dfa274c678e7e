from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tameflare_dashboard.pages.rendering import (
    ago,
    asset,
    count,
    icon,
    line,
    milliseconds,
    query,
    when,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.25, "0.2"),
        (12.0, "12"),
        (1234, "1,234"),
        (234_567, "235k"),
        (12_345_678, "12M"),
    ],
)
def test_number_is_short(value: float, shown: str) -> None:
    assert count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0.25, "0.2 ms"), (42.4, "42 ms"), (2500, "2.5 s"), (180_000, "3 min")],
)
def test_time_taken_is_short(value: float | None, shown: str) -> None:
    assert milliseconds(value) == shown


def test_span_is_in_its_largest_unit() -> None:
    assert [ago(timedelta(days=3)), ago(7200.0), ago(0.0), ago(None)] == ["3 d", "2 h", "0 s", "-"]


def test_moment_is_utc_until_a_script_makes_it_local() -> None:
    shown = when(datetime(2026, 3, 1, 12, 5, 9, tzinfo=UTC))
    assert 'title="2026-03-01 12:05:09 UTC"' in shown
    assert 'datetime="2026-03-01T12:05:09.000+00:00"' in shown
    assert "never" in when(None)
    assert when("2026-03-01T13:05:09+01:00") == shown


def test_line_of_an_agent_cannot_mislead() -> None:
    shown = line("<b>\u202eexe\u200b\n")
    assert shown.startswith("<bdi>&lt;b&gt;")
    assert shown.isprintable()


def test_query_leaves_out_what_is_empty() -> None:
    assert query({"a": "1", "b": "", "c": None}, d="x y", a="2") == "?a=2&d=x+y"


def test_address_of_a_file_says_what_it_holds() -> None:
    assert asset("app.css").startswith("/static/app.css?v=")
    assert 'aria-hidden="true"' in icon("gear")
