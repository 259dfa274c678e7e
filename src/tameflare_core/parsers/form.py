"""URL-encoded forms with nested keys that every reader reads alike: `a[b]`, `a[b][0][c]`, `a[]`.

Frameworks differ in which of two equal fields wins, in what `a=1&a[b]=2` means, in where a key of
broken nesting ends, and in whether `;` separates fields; whatever they differ in is refused.
Sources: the application/x-www-form-urlencoded parser of the WHATWG URL standard, and the nesting
that Rack, PHP and qs agree on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from tameflare_core.errors import OpaqueBody
from tameflare_core.request import OutboundRequest

__all__ = ["FormValue", "form_object", "parse_form"]

type FormValue = str | list[str] | dict[str, FormValue]

_MAX_BYTES = 1024 * 1024
_MAX_FIELDS = 4_000
_MAX_DEPTH = 16
# Decoding this many takes 40 ms.
_MAX_ENCODED = 250_000

# PHP turns dots and spaces of a name into `_`, Rack and Express keep them.
_KEY = re.compile(r"([A-Za-z0-9_-]+)((?:\[[^\[\]\x00-\x1f\x7f]*\])*)")
_INNER = re.compile(r"\[([^\[\]]*)\]")
_BROKEN_ENCODING = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse_form(data: bytes) -> dict[str, FormValue]:
    """Parse the fields of a form or of a query.

    Returns:
        Texts by name; an object for `a[b]=` and for `a[0]=`, whose keys are as written; a list for
        repeated `a[]=`.

    Raises:
        OpaqueBody: two fields have one key, or keys that differ in case only; a field is a value
            and an object or a list at once; brackets do not pair or an empty pair is not the last;
            a name holds anything else than letters, digits, `_` and `-`; a `;` or a NUL; a broken
            percent-encoding or bytes that are not UTF-8; more than 1 MiB, 4,000 fields, or 16
            levels.
    """
    try:
        return _nested(data)
    except ValueError:
        raise OpaqueBody("body is not a form that can be read in one way") from None


def form_object(request: OutboundRequest) -> dict[str, FormValue]:
    """The fields of the request's body; none when it has no body.

    Raises:
        OpaqueBody: the body cannot be read, or `parse_form` refuses it.
    """
    return parse_form(request.decoded_body())


def _nested(data: bytes) -> dict[str, FormValue]:
    root: dict[str, FormValue] = {}
    for keys, value in _fields(data):
        in_list = not keys[-1]
        *outer, last = keys[:-1] if in_list else keys
        node = root
        for key in outer:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                raise ValueError("a value and an object at once")
            node = child
        if not in_list and last not in node:
            node[last] = value
            continue
        values = node.setdefault(last, [])
        if not in_list or not isinstance(values, list):
            raise ValueError("duplicate key")
        values.append(value)
    _check_case(root)
    return root


def _fields(data: bytes) -> Iterator[tuple[list[str], str]]:
    if len(data) > _MAX_BYTES or data.count(b"&") >= _MAX_FIELDS:
        raise ValueError("too long, or too many fields")
    if data.count(b"%") > _MAX_ENCODED:
        raise ValueError("too many percent-encodings")
    if b";" in data or _BROKEN_ENCODING.search(data):
        raise ValueError("a `;` or a broken percent-encoding")
    for field in data.split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            yield _path(_decoded(name)), _decoded(value)


def _decoded(text: bytes) -> str:
    decoded = unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")
    if "\0" in decoded:
        raise ValueError("NUL")
    return decoded


def _path(name: str) -> list[str]:
    found = _KEY.fullmatch(name)
    if found is None:
        raise ValueError("malformed name")
    keys = [found[1], *_INNER.findall(found[2])]
    if len(keys) > _MAX_DEPTH or not all(keys[:-1]):
        raise ValueError("too many levels, or an empty one before the last")
    return keys


def _check_case(node: dict[str, FormValue]) -> None:
    if len({key.casefold() for key in node}) != len(node):
        raise ValueError("keys that differ in case only")
    for child in node.values():
        if isinstance(child, dict):
            _check_case(child)
