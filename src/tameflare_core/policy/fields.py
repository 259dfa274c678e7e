"""The fields that a condition can look at: their names, their kinds of value, how they are read.

A field of the request itself, of the action's name or of the gateway always has a value. A resource
field or a parameter may be absent, and where the request was not wholly read nobody can tell.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from tameflare_core.action import Access, Action, Category, Risk, action_name
from tameflare_core.canonical import canonical_host, canonical_method, canonical_path
from tameflare_core.errors import RequestRejected
from tameflare_core.policy.facts import ABSENT, UNTOLD, Facts, Missing
from tameflare_core.request import BodyState

__all__ = ["Field", "Kind", "field_named", "risk_score"]


class Kind(enum.Enum):
    """What kind of value a field has; its value is how messages call it."""

    TEXT = "text"
    CHOICE = "one of a few words"
    LEVEL = "one of a few words in rising order"
    NUMBER = "a number"
    WORDS = "a set of words"
    ANY = "any JSON value"
    TIME = "the time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field.

    Attributes:
        name: as conditions write it.
        kind: what kind of value it has.
        read: its value; `ABSENT` or `UNTOLD` where there is none.
        may_be_missing: whether `read` can return one of these two.
        choices: the words of `CHOICE`, `LEVEL` and `WORDS`; those of `LEVEL` in rising order.
        spelling: puts the text of a condition into the case that the field has; None when its
            values are of either case.
        canonical: puts a whole value of a condition into the form that the field has.
        resource: the name of the resource field that it reads; empty when it reads none.
        needs_body: whether the request's body must have been read.
    """

    name: str
    kind: Kind
    read: Callable[[Facts], object]
    may_be_missing: bool = False
    choices: tuple[str, ...] = ()
    spelling: Callable[[str], str] | None = None
    canonical: Callable[[str], str] | None = None
    resource: str = ""
    needs_body: bool = False


_BASE_SCORE = {Risk.LOW: 10, Risk.MEDIUM: 40, Risk.HIGH: 70, Risk.CRITICAL: 90}
_AGGRAVATING = frozenset(
    {
        Category.DESTRUCTIVE,
        Category.FINANCIAL,
        Category.IDENTITY,
        Category.SECRETS,
        Category.CODE_EXECUTION,
        Category.DATA_EXPORT,
    }
)


def risk_score(action: Action) -> int:
    """How much harm an action can do, from 0 to 100.

    10, 40, 70 or 90 for the risk low, medium, high or critical; 5 more for each of the categories
    destructive, financial, identity, secrets, code_execution and data_export; 5 more when the
    request does not say all about what it acts on; 100 at most.
    """
    score = _BASE_SCORE[action.risk] + 5 * len(action.categories & _AGGRAVATING)
    return min(100, score if action.resource_complete else score + 5)


def _provider(facts: Facts) -> object:
    return facts.action.name.partition(".")[0]


def _score(facts: Facts) -> object:
    return risk_score(facts.action)


def _body_size(facts: Facts) -> object:
    body = facts.request.body
    if body.state is BodyState.ABSENT or body.state is BodyState.COMPLETE:
        return len(body.data)
    return UNTOLD


def _resource(name: str) -> Callable[[Facts], object]:
    def read(facts: Facts) -> object:
        action = facts.action
        value = action.resource.get(name)
        if value is None:
            return ABSENT if action.resource_complete else UNTOLD
        return value

    return read


def _parameter(path: tuple[str, ...]) -> Callable[[Facts], object]:
    def read(facts: Facts) -> object:
        value: object = facts.action.params
        for name in path:
            # What is below a list is several values, and below a text perhaps a document.
            if not isinstance(value, Mapping):
                return UNTOLD
            values, value = value, value.get(name)
            if value is None:
                return _missing(name, values, facts)
        return value

    return read


def _missing(name: str, values: Mapping[str, object], facts: Facts) -> Missing:
    # A service may read names without regard to their case.
    folded = name.lower()
    other = any(key != name and key.lower() == folded for key in values)
    return ABSENT if facts.action.params_complete and not other else UNTOLD


def _method(value: str) -> str:
    try:
        return canonical_method(value.upper())
    except RequestRejected:
        raise ValueError(f"`{value}` is not a method like `POST`") from None


def _host(value: str) -> str:
    try:
        return canonical_host(value)
    except RequestRejected:
        raise ValueError(f"`{value}` is not a host name or an address") from None


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"a path starts with `/`: write `/{value}`")
    try:
        return canonical_path(value).text
    except RequestRejected as error:
        raise ValueError(f"`{value}` is not a path: {error}") from None


_FIXED = {
    field.name: field
    for field in (
        Field(
            name="action.name",
            kind=Kind.TEXT,
            read=attrgetter("action.name"),
            spelling=str.lower,
            canonical=action_name,
        ),
        Field(name="action.provider", kind=Kind.TEXT, read=_provider, spelling=str.lower),
        Field(
            name="action.access",
            kind=Kind.CHOICE,
            read=attrgetter("action.access"),
            choices=tuple(Access),
        ),
        Field(
            name="action.risk",
            kind=Kind.LEVEL,
            read=attrgetter("action.risk"),
            choices=tuple(Risk),
        ),
        Field(name="action.risk_score", kind=Kind.NUMBER, read=_score),
        Field(
            name="action.categories",
            kind=Kind.WORDS,
            read=attrgetter("action.categories"),
            choices=tuple(Category),
        ),
        Field(
            name="request.method",
            kind=Kind.TEXT,
            read=attrgetter("request.method"),
            spelling=str.upper,
            canonical=_method,
        ),
        Field(
            name="request.scheme",
            kind=Kind.CHOICE,
            read=attrgetter("request.scheme"),
            choices=("http", "https"),
        ),
        Field(
            name="request.host",
            kind=Kind.TEXT,
            read=attrgetter("request.host"),
            spelling=str.lower,
            canonical=_host,
        ),
        Field(name="request.port", kind=Kind.NUMBER, read=attrgetter("request.port")),
        Field(
            name="request.path",
            kind=Kind.TEXT,
            read=attrgetter("request.path"),
            canonical=_path,
        ),
        Field(
            name="request.content_type",
            kind=Kind.TEXT,
            read=attrgetter("request.media_type"),
            spelling=str.lower,
        ),
        Field(
            name="request.body_size",
            kind=Kind.NUMBER,
            read=_body_size,
            may_be_missing=True,
            needs_body=True,
        ),
        Field(name="request.connector", kind=Kind.TEXT, read=attrgetter("connector")),
        Field(name="gateway.name", kind=Kind.TEXT, read=attrgetter("gateway")),
        Field(name="gateway.environment", kind=Kind.TEXT, read=attrgetter("environment")),
        Field(name="time", kind=Kind.TIME, read=attrgetter("now")),
    )
}

_NAME = re.compile(r"[A-Za-z0-9_$@:/-]{1,100}")
_MAX_PATH = 20


def field_named(name: str) -> Field:
    """The field that a condition calls `name`.

    Raises:
        ValueError: there is none; the message names the nearest.
    """
    fixed = _FIXED.get(name)
    if fixed is not None:
        return fixed
    first, *path = name.split(".")
    well_formed = 0 < len(path) <= _MAX_PATH and all(_NAME.fullmatch(part) for part in path)
    if first == "resource" and well_formed and len(path) == 1:
        return Field(
            name=name,
            kind=Kind.TEXT,
            read=_resource(path[0]),
            may_be_missing=True,
            resource=path[0],
        )
    if first == "params" and well_formed:
        return Field(
            name=name,
            kind=Kind.ANY,
            read=_parameter(tuple(path)),
            may_be_missing=True,
            needs_body=True,
        )
    raise ValueError(_advice(name, ".".join(path)))


def _advice(name: str, rest: str) -> str:
    known = [*_FIXED, f"resource.{rest or 'NAME'}", f"params.{rest or 'NAME'}"]
    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest and nearest[0] != name:
        return f"no field `{name}`: did you mean `{nearest[0]}`?"
    return (
        f"no field `{name}`: write one of {', '.join(f'`{field}`' for field in _FIXED)}, "
        "`resource.NAME` or `params.NAME`"
    )
