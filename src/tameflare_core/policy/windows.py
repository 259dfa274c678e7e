"""Times of the day and days of the week, as a clock on the wall of a place shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tameflare_core.policy.problems import Report

__all__ = ["TimeWindow"]

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_REQUIRED = ("from", "to", "zone")
_KEYS = frozenset({*_REQUIRED, "days"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """A part of the day, on some days of the week.

    The clock on the wall is compared: a window within the hour that a spring night leaves out never
    comes in that night, and one within the hour that an autumn night repeats comes twice.

    Attributes:
        start: its first minute of the day, from 0.
        end: the minute of the day before which it ends, up to 1440; less than `start` when it
            passes midnight.
        zone: where the clock hangs.
        days: the days on which it begins, Monday is 0.
    """

    start: int
    end: int
    zone: ZoneInfo
    days: frozenset[int]

    @classmethod
    def parse(cls, document: object, report: Report) -> TimeWindow | None:
        """Read `{from: "22:00", to: "06:00", zone: Europe/Berlin, days: [mon, tue]}`.

        Returns:
            The window; None when something was wrong, which the report then says.
        """
        if not isinstance(document, Mapping):
            report.add('write a mapping like `{from: "22:00", to: "06:00", zone: Europe/Berlin}`')
            return None
        unknown = [key for key in document if key not in _KEYS]
        for key in unknown:
            report.below(str(key)).add("unknown key")
        missing = [key for key in _REQUIRED if key not in document]
        for key in missing:
            report.below(key).add("missing")
        if missing:
            return None
        start = _minutes(document["from"], report.below("from"), last=1439)
        end = _minutes(document["to"], report.below("to"), last=1440)
        zone = _zone(document["zone"], report.below("zone"))
        days = _days(document.get("days", list(_DAYS)), report.below("days"))
        if start is None or end is None or zone is None or days is None:
            return None
        if start == end:
            report.below("to").add(
                'the same time as `from`: for the whole day write `from: "00:00"`, `to: "24:00"`'
            )
            return None
        if unknown:
            return None
        return cls(start=start, end=end, zone=zone, days=days)

    def contains(self, now: datetime) -> bool:
        """Whether `now` is in it.

        Raises:
            ValueError: `now` has no time zone.
        """
        if now.tzinfo is None:
            raise ValueError("a time without a time zone cannot be placed")
        local = now.astimezone(self.zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return self.start <= minute < self.end and day in self.days
        if minute >= self.start:
            return day in self.days
        return minute < self.end and (day - 1) % 7 in self.days


def _minutes(value: object, report: Report, *, last: int) -> int | None:
    if isinstance(value, str) and _TIME.fullmatch(value):
        minutes = int(value[:2]) * 60 + int(value[3:])
        if minutes <= last:
            return minutes
    if isinstance(value, int):
        # YAML 1.1 reads 22:00 as a number of base 60.
        report.add('put the time in quotes, like `"22:00"`')
    else:
        report.add(f'`{value}` is not a time of the day like `"22:00"`')
    return None


def _zone(value: object, report: Report) -> ZoneInfo | None:
    if isinstance(value, str):
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            pass
    report.add(f"no time zone `{value}`: write one like `Europe/Berlin` or `UTC`")
    return None


def _days(value: object, report: Report) -> frozenset[int] | None:
    if not isinstance(value, list) or not value:
        report.add("write a list of days like `[mon, tue]`")
        return None
    unknown = [
        (index, day)
        for index, day in enumerate(value)
        if not isinstance(day, str) or day not in _DAYS
    ]
    for index, day in unknown:
        report.below(index).add(f"no day `{day}`: write one of {', '.join(_DAYS)}")
    return None if unknown else frozenset(map(_DAYS.index, value))
