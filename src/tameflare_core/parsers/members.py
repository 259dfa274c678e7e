"""What query and body say together, by name: the params of services that are not known better.

Frameworks differ in whether `;` separates parameters, in what brackets, dots and spaces in a name
mean, in which of query and body wins. Where they differ, a value may be missing here, and the
action says so: `params_complete` is false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from tameflare_core.action import Action
from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.form import form_object
from tameflare_core.parsers.strict_json import check_charset, json_object
from tameflare_core.request import FORM_TYPE, BodyState, OutboundRequest

__all__ = ["with_members", "with_query"]

_MAX_PARAMETERS = 4_000

# PHP and Rack make other names of these, or objects and lists.
_REWRITTEN = re.compile(r"^$|[\[\]. \x00-\x1f\x7f]")
_SEPARATOR = re.compile(rb"[&;]")


@dataclass(frozen=True, slots=True)
class _Members:
    """Values by name, and whether these are all that any reader finds."""

    values: Mapping[str, object]
    complete: bool


_NONE = _Members({}, complete=True)
_UNKNOWN = _Members({}, complete=False)


def with_members(action: Action, request: OutboundRequest, *, takes_forms: bool = False) -> Action:
    """`action` with the parameters of the query and the members of the body as its params.

    A parameter of the query is a text, or the list of its texts if it is given several times. A
    name that has one value in the query and another in the body is left out, and so is a body that
    has not been read, cannot be read in one way, or comes with a GET.

    Args:
        action: without params.
        request: its body may be unread.
        takes_forms: whether the service may read URL-encoded bodies beside JSON.
    """
    if not request.query and request.body.state is BodyState.ABSENT:
        return action
    query, body = _in_query(request), _in_body(request, takes_forms=takes_forms)
    values = {**query.values, **body.values}
    unsettled = {
        name
        for name in query.values.keys() & body.values.keys()
        if query.values[name] != body.values[name]
    }
    complete = query.complete and body.complete and not unsettled and _differ_beyond_case(values)
    params = {name: value for name, value in values.items() if name not in unsettled}
    return replace(action, params=params, params_complete=complete)


def with_query(action: Action, request: OutboundRequest) -> Action:
    """`action` with the parameters of the query alone, and a body that is not looked at."""
    query = _in_query(request)
    complete = query.complete and request.body.state is BodyState.ABSENT
    return replace(action, params=query.values, params_complete=complete)


def _in_query(request: OutboundRequest) -> _Members:
    if not request.query:
        return _NONE
    try:
        pairs = parse_qsl(
            request.query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        return _UNKNOWN
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    values = {name: texts[0] if len(texts) == 1 else texts for name, texts in given.items()}
    plain = ";" not in request.query and not any(map(_REWRITTEN.search, values))
    return _Members(values, complete=plain and _differ_beyond_case(values))


def _in_body(request: OutboundRequest, *, takes_forms: bool) -> _Members:
    if request.body.state is BodyState.ABSENT:
        return _NONE
    # Whether a service reads the body of a GET differs from one to the next.
    if request.operation == "GET":
        return _UNKNOWN
    try:
        values = _read(request, takes_forms=takes_forms)
    except OpaqueBody:
        return _UNKNOWN
    return _UNKNOWN if values is None else _Members(values, complete=True)


def _read(request: OutboundRequest, *, takes_forms: bool) -> Mapping[str, object] | None:
    """The members of a body; None when its type is none that is read."""
    kind = request.media_type
    if kind == "application/json" or kind.endswith("+json"):
        return json_object(request)
    if kind not in {"", FORM_TYPE}:
        return None
    data = request.decoded_body()
    # JSON that is not said to be JSON, as curl sends it. To who reads it as a form, what has no
    # separator is a single name without sense.
    if data.lstrip().startswith(b"{") and not _SEPARATOR.search(data):
        return json_object(request)
    if not (takes_forms and kind):
        return None
    check_charset(request)
    return form_object(request)


def _differ_beyond_case(names: Mapping[str, object]) -> bool:
    return len({name.casefold() for name in names}) == len(names)
