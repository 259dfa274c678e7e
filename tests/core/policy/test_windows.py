"""Windows of time, across midnight and across both changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tameflare_core.policy.problems import Problem, Report
from tameflare_core.policy.windows import TimeWindow

BERLIN = ZoneInfo("Europe/Berlin")


def parsed(document):
    problems: list[Problem] = []
    return TimeWindow.parse(document, Report(problems)), problems


def window(start, end, *, zone="Europe/Berlin", **more):
    found, problems = parsed({"from": start, "to": end, "zone": zone, **more})
    assert not problems
    return found


def berlin(day, time):
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=BERLIN)


# 2026-03-02 is a Monday.
@pytest.mark.parametrize(
    ("start", "end", "days", "day", "time", "within"),
    [
        ("09:00", "17:00", None, "2026-03-02", "08:59:59", False),
        ("09:00", "17:00", None, "2026-03-02", "09:00", True),
        ("09:00", "17:00", None, "2026-03-02", "16:59:59", True),
        ("09:00", "17:00", None, "2026-03-02", "17:00", False),
        ("22:00", "06:00", None, "2026-03-02", "21:59", False),
        ("22:00", "06:00", None, "2026-03-02", "22:00", True),
        ("22:00", "06:00", None, "2026-03-03", "05:59", True),
        ("22:00", "06:00", None, "2026-03-03", "06:00", False),
        ("00:00", "24:00", None, "2026-03-02", "00:00", True),
        ("00:00", "24:00", None, "2026-03-02", "23:59:59", True),
        ("22:00", "00:00", None, "2026-03-02", "23:59", True),
        ("22:00", "00:00", None, "2026-03-03", "00:00", False),
        ("22:00", "24:00", None, "2026-03-02", "23:59", True),
        # The days are those on which the window begins.
        ("22:00", "06:00", ["mon"], "2026-03-02", "23:00", True),
        ("22:00", "06:00", ["mon"], "2026-03-03", "05:00", True),
        ("22:00", "06:00", ["mon"], "2026-03-02", "05:00", False),
        ("22:00", "06:00", ["mon"], "2026-03-03", "23:00", False),
        ("22:00", "06:00", ["sun"], "2026-03-02", "05:00", True),
        ("09:00", "17:00", ["sat", "sun"], "2026-03-01", "12:00", True),
        ("09:00", "17:00", ["sat", "sun"], "2026-03-02", "12:00", False),
    ],
)
def test_window_is_half_open_and_passes_midnight(start, end, days, day, time, within):
    more = {} if days is None else {"days": days}
    assert window(start, end, **more).contains(berlin(day, time)) is within


@pytest.mark.parametrize(
    ("utc", "within"),
    [
        # Winter time until 01:00 UTC of 29 March, when 02:00 becomes 03:00.
        ("2026-03-29T00:59", False),
        ("2026-03-29T01:00", True),
        ("2026-03-29T01:59", True),
        ("2026-03-29T02:00", False),
        # Summer time until 01:00 UTC of 25 October, when 03:00 becomes 02:00.
        ("2026-10-25T00:59", False),
        ("2026-10-25T01:59", False),
        ("2026-10-25T02:00", True),
        ("2026-10-25T03:00", False),
    ],
)
def test_clock_on_the_wall_counts_when_it_is_changed(utc, within):
    at_three = window("03:00", "04:00")
    assert at_three.contains(datetime.fromisoformat(utc).replace(tzinfo=UTC)) is within


def test_hour_that_is_left_out_never_comes():
    at_two = window("02:00", "03:00")
    night = [
        datetime(2026, 3, 29, hour, minute, tzinfo=UTC) for hour in range(4) for minute in (0, 59)
    ]
    assert not any(map(at_two.contains, night))


def test_hour_that_is_repeated_comes_twice():
    at_two = window("02:00", "03:00")
    hours = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(4)]
    assert [at_two.contains(hour) for hour in hours] == [True, True, False, False]


def test_night_across_a_change_has_no_gap():
    night = window("22:00", "06:00", days=["sat"])
    # 22:00 of 28 March is 21:00 UTC, 06:00 of 29 March is 04:00 UTC.
    inside = [datetime(2026, 3, 28, 21, tzinfo=UTC), datetime(2026, 3, 29, 3, 59, tzinfo=UTC)]
    outside = [datetime(2026, 3, 28, 20, 59, tzinfo=UTC), datetime(2026, 3, 29, 4, tzinfo=UTC)]
    assert all(map(night.contains, inside))
    assert not any(map(night.contains, outside))


def test_zone_decides_which_day_it_is():
    sunday = window("00:00", "24:00", zone="Pacific/Auckland", days=["sun"])
    assert sunday.contains(datetime(2026, 2, 28, 12, tzinfo=UTC))
    assert not sunday.contains(datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a time zone"):
        window("00:00", "24:00").contains(datetime(2026, 3, 2))


GOOD = {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}
QUOTES = 'put the time in quotes, like `"22:00"`'


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (GOOD | {"from": 1320}, [(("from",), QUOTES)]),
        (GOOD | {"from": 1320, "to": 360}, [(("from",), QUOTES), (("to",), QUOTES)]),
        (
            GOOD | {"from": "24:00"},
            [(("from",), '`24:00` is not a time of the day like `"22:00"`')],
        ),
        (GOOD | {"to": "6:00"}, [(("to",), '`6:00` is not a time of the day like `"22:00"`')]),
        (GOOD | {"to": "24:01"}, [(("to",), '`24:01` is not a time of the day like `"22:00"`')]),
        (
            GOOD | {"to": "22:00"},
            [
                (
                    ("to",),
                    (
                        'the same time as `from`: for the whole day write `from: "00:00"`, '
                        '`to: "24:00"`'
                    ),
                )
            ],
        ),
        (
            GOOD | {"zone": "Europe/Berlyn"},
            [(("zone",), "no time zone `Europe/Berlyn`: write one like `Europe/Berlin` or `UTC`")],
        ),
        (
            GOOD | {"zone": "../../etc/passwd"},
            [
                (
                    ("zone",),
                    "no time zone `../../etc/passwd`: write one like `Europe/Berlin` or `UTC`",
                )
            ],
        ),
        (
            GOOD | {"days": ["mon", "funday", 3]},
            [
                (("days", 1), "no day `funday`: write one of mon, tue, wed, thu, fri, sat, sun"),
                (("days", 2), "no day `3`: write one of mon, tue, wed, thu, fri, sat, sun"),
            ],
        ),
        (GOOD | {"days": []}, [(("days",), "write a list of days like `[mon, tue]`")]),
        (GOOD | {"until": "x"}, [(("until",), "unknown key")]),
        ({}, [(("from",), "missing"), (("to",), "missing"), (("zone",), "missing")]),
        (
            "22:00-06:00",
            [((), 'write a mapping like `{from: "22:00", to: "06:00", zone: Europe/Berlin}`')],
        ),
        (
            GOOD | {"from": None, "zone": None},
            [
                (("from",), '`None` is not a time of the day like `"22:00"`'),
                (("zone",), "no time zone `None`: write one like `Europe/Berlin` or `UTC`"),
            ],
        ),
    ],
)
def test_everything_wrong_is_reported_in_its_place(document, expected):
    assert parsed(document) == (None, expected)
