"""The arguments of a Slack Web API method: where Slack reads them, and what they name.

Slack takes arguments from the query, from a URL-encoded form and from JSON, whichever the content
type says, and from query and body at once. Source: https://docs.slack.dev/apis/web-api/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, product
from math import prod

from tameflare_core.action import Action
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.form import FormValue, parse_form
from tameflare_core.parsers.strict_json import Json, check_charset, json_object, parse_json
from tameflare_core.request import FORM_TYPE, OutboundRequest

__all__ = ["FIELDS", "PARAMS", "read_arguments", "with_arguments"]

_JSON_TYPE = "application/json"
_TOKEN = "token"  # noqa: S105  # the name of an argument

# Beyond this many combinations of channels, users and so on, none of them is told.
_MOST_ACTIONS = 100

_IDS = {
    "app": re.compile(r"A[A-Z0-9]+"),
    "channel": re.compile(r"[CDG][A-Z0-9]+"),
    # Canvases and lists are files as well.
    "file": re.compile(r"F[A-Z0-9]+"),
    "team": re.compile(r"[ET][A-Z0-9]+"),
    "user": re.compile(r"[UW][A-Z0-9]+"),
    "usergroup": re.compile(r"S[A-Z0-9]+"),
}

_NAMED_BY = {
    "app": ("app", "app_id", "app_ids"),
    "channel": ("channel", "channel_id", "channel_ids", "channels", "origin_channel_id"),
    "file": ("canvas_id", "copy_from_list_id", "file", "file_id", "file_ids", "files", "list_id"),
    "team": (
        "entity_ids",
        "leaving_team_ids",
        "recipient_team_id",
        "target_team",
        "target_team_id",
        "target_team_ids",
        "team",
        "team_id",
        "team_ids",
    ),
    "user": (
        "collaborator_ids",
        "connected_user_ids",
        "disconnected_user_ids",
        # Teams or users, so that one of the two fields is never known.
        "entity_ids",
        "recipient_user_id",
        "user",
        "user_id",
        "user_ids",
        "users",
    ),
    "usergroup": (
        "barriered_from_usergroup_ids",
        "group_id",
        "primary_usergroup_id",
        "usergroup",
        "usergroup_id",
        "usergroup_ids",
        "usergroups",
    ),
}

FIELDS = frozenset(_NAMED_BY)
"""The resource fields that arguments fill in."""

_FIELDS_OF = {
    name: [field for field, names in _NAMED_BY.items() if name in names]
    for name in chain.from_iterable(_NAMED_BY.values())
}

_TOLD = frozenset(
    {
        "as_user",
        # As the client wrote it: the resource field holds ids only.
        "channel",
        "email",
        "emails",
        "filename",
        "is_private",
        "latest",
        "limit",
        "markdown_text",
        "name",
        "oldest",
        "post_at",
        "purpose",
        "query",
        "reply_broadcast",
        "text",
        "thread_ts",
        "timestamp",
        "topic",
        "ts",
        "types",
        "username",
    }
)
# Structures of any size: that they are there matters, because what people see is then not `text`.
_STRUCTURES = frozenset({"attachments", "blocks", "unfurls", "view"})

PARAMS = _TOLD | _STRUCTURES
"""The params that arguments fill in."""

_DECIDING = frozenset({_TOKEN, *_FIELDS_OF, *PARAMS})

type _Arguments = Mapping[str, FormValue | Json]


def read_arguments(request: OutboundRequest, *, takes_json: bool) -> tuple[_Arguments, bool]:
    """The arguments of a method, and whether Slack reads all that were sent.

    Args:
        request: its body has been read.
        takes_json: whether the method is known to read a JSON body; the arguments in one that it
            may not read are left out.

    Raises:
        OpaqueBody: a body that cannot be read, of a type that is not known, or with a GET; names
            that are read in several ways.
        RequestRejected: an argument with one value in the query and another in the body; a `token`,
            which would stand beside the credential of this gateway or in its place.
    """
    query = _form((request.query or "").encode("ascii"))
    body, is_json = _body(request)
    if _TOKEN in query or _TOKEN in body:
        raise RequestRejected(
            "argument `token`: send no token, or send it in the `Authorization` header"
        )
    for name in query.keys() & body.keys():
        if query[name] != body[name]:
            raise RequestRejected(f"argument `{name}` differs between query and body")
    if is_json and not takes_json:
        return query, not body
    return {**query, **body}, True


def with_arguments(action: Action, arguments: _Arguments) -> Sequence[Action]:
    """`action` once for each combination of what the arguments name.

    A channel is told by its id alone: which one a name or a user stands for is known to Slack only.

    Args:
        action: the method's; it says whether all arguments have been read.
        arguments: as `read_arguments` gives them.
    """
    params = _params(arguments)
    # Null is what an argument is that was not given.
    untold = (
        name
        for name, value in arguments.items()
        if name in _TOLD and name not in params and value is not None
    )
    params_complete = action.params_complete and not any(untold)
    named = {field: list(values) for field, values in _named(arguments).items()}
    if prod(map(len, named.values())) > _MOST_ACTIONS:
        named = {field: values if len(values) == 1 else [None] for field, values in named.items()}
    return [
        replace(
            action,
            resource={
                **action.resource,
                **{field: value for field, value in zip(named, values, strict=True) if value},
            },
            resource_complete=action.resource_complete and None not in values,
            params=params,
            params_complete=params_complete,
        )
        for values in product(*named.values())
    ]


def _body(request: OutboundRequest) -> tuple[_Arguments, bool]:
    data = request.decoded_body()
    if not data:
        return {}, False
    if request.operation == "GET":
        raise OpaqueBody("a GET with a body")
    kind = request.media_type
    if kind == _JSON_TYPE:
        return json_object(request, _DECIDING), True
    if kind == FORM_TYPE:
        check_charset(request)
        return _form(data), False
    raise OpaqueBody("arguments are in a form or in JSON, and the content type says which")


def _form(data: bytes) -> dict[str, FormValue]:
    arguments = parse_form(data)
    if any(name not in _DECIDING and name.casefold() in _DECIDING for name in arguments):
        raise OpaqueBody("an argument that differs from a known one in case only")
    return arguments


def _named(arguments: _Arguments) -> Mapping[str, dict[str | None, None]]:
    """The ids by field, in their order; None for what is no id."""
    named: dict[str, dict[str | None, None]] = {}
    for name, value in arguments.items():
        for field in _FIELDS_OF.get(name, ()):
            for text in _texts(value):
                if text is not None and _IDS[field].fullmatch(text):
                    named.setdefault(field, {})[text] = None
                    continue
                named.setdefault(field, {})[None] = None
                # A message may be sent to a user, in the channel that is theirs and the sender's.
                if field == "channel" and text is not None and _IDS["user"].fullmatch(text):
                    named.setdefault("user", {})[text] = None
    return named


def _texts(value: FormValue | Json) -> Iterator[str | None]:
    """The texts in a value: one, a list in JSON or with commas; None for anything else."""
    match value:
        case None:
            return
        case str() if value.lstrip().startswith("["):
            try:
                yield from _texts(parse_json(value.encode("utf-8", "surrogatepass")))
            except OpaqueBody:
                yield None
        case str() if value.count(",") < _MOST_ACTIONS:
            yield from filter(None, map(str.strip, value.split(",")))
        case list() if len(value) <= _MOST_ACTIONS:
            for item in value:
                yield item.strip() if isinstance(item, str) else None
        case _:
            yield None


def _params(arguments: _Arguments) -> dict[str, object]:
    params: dict[str, object] = {}
    for name, value in arguments.items():
        if name in _TOLD and _is_plain(value):
            params[name] = value
        elif name in _STRUCTURES and value:
            params[name] = True
    return params


def _is_plain(value: FormValue | Json) -> bool:
    """Whether a value is a text, a number, a truth value, or a list of these."""
    plain = (str, int, float)
    if isinstance(value, list):
        return all(isinstance(item, plain) for item in value)
    return isinstance(value, plain)
