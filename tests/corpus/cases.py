"""The cases of the corpus as values, for every driver that sends them."""

from __future__ import annotations

import base64
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tameflare_core.request import Body

__all__ = ["GATEWAYS", "Case", "Expected", "cases_for"]

_FOLDER = Path(__file__).parent
_DRIVERS = ("core", "transport", "wire")
_BODIES = {"absent": Body.absent(), "unread": Body.unread(), "oversize": Body.oversize()}


class Expected(enum.StrEnum):
    """What has to come of a request."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    ASK = "ASK"
    BAD = "BAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request and what each gateway has to make of it; the keys are those of `cases.yaml`."""

    id: str
    strict: Expected
    lenient: Expected
    drivers: tuple[str, ...]
    body: Body
    method: str = ""
    url: str = ""
    scheme: str = ""
    authority: str = ""
    target: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    raw: str = ""
    connect: str = ""
    note: str = ""

    def expected(self, gateway: str) -> Expected:
        """What `gateway`, one of `GATEWAYS`, has to make of it."""
        return {"strict": self.strict, "lenient": self.lenient}[gateway]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Case:
        """Read one entry of `cases.yaml`.

        Raises:
            TypeError: it has an unknown key.
        """
        fields = dict(row)
        text, encoded = fields.pop("body", None), fields.pop("body_base64", None)
        state = fields.pop("body_state", "absent")
        if text is not None:
            fields["body"] = Body.complete(text.encode())
        elif encoded is not None:
            fields["body"] = Body.complete(base64.b64decode(encoded, validate=True))
        else:
            fields["body"] = _BODIES[state]
        fields["headers"] = tuple((name, value) for name, value in fields.get("headers", ()))
        fields["drivers"] = tuple(fields.get("drivers", _DRIVERS))
        fields["strict"] = Expected(fields["strict"])
        fields["lenient"] = Expected(fields.get("lenient", fields["strict"]))
        return cls(**fields)


def _read(name: str) -> Any:
    return yaml.safe_load((_FOLDER / name).read_text("utf-8"))


GATEWAYS: dict[str, str] = _read("gateways.yaml")
"""The gateways by name, each as the text of a `tameflare.yaml`."""

_CASES = tuple(map(Case.from_row, _read("cases.yaml")))


def cases_for(driver: str) -> tuple[Case, ...]:
    """The cases that `driver` (`core`, `transport` or `wire`) can send."""
    return tuple(case for case in _CASES if driver in case.drivers)
