"""Header fields as an immutable list: names in lower case, order and repetition kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tameflare_core.errors import RequestRejected

__all__ = ["Headers"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 section 5.5: visible characters, spaces and tabs; obs-text is left to the service.
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


class Headers:
    """Header fields of one message.

    Args:
        pairs: names and values; names are lower-cased, values lose surrounding white space.

    Raises:
        RequestRejected: a name that is no token, or a value with a control character.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        fields: list[tuple[str, str]] = []
        for name, value in pairs:
            # Before lower(), which turns a Kelvin sign into a `k`.
            if not _NAME.fullmatch(name):
                raise RequestRejected("malformed header name")
            if _BAD_VALUE.search(value):
                raise RequestRejected(f"control character in header `{name.lower()}`")
            fields.append((name.lower(), value.strip(" \t")))
        self._pairs = tuple(fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: object) -> bool:
        return any(name == own for own, _ in self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        # Values are left out: any of them may be a secret.
        return f"Headers({[name for name, _ in self._pairs]})"

    def get_all(self, name: str) -> tuple[str, ...]:
        """Every value of the field `name` (lower case), in order."""
        return tuple(value for own, value in self._pairs if own == name)

    def get(self, name: str, default: str = "") -> str:
        """The values of the field `name` (lower case), joined with a comma; else `default`."""
        values = self.get_all(name)
        return ", ".join(values) if values else default

    def without(self, *names: str) -> Headers:
        """These fields without any called one of `names` (lower case)."""
        return _trusted(tuple(pair for pair in self._pairs if pair[0] not in names))

    def replacing(self, name: str, value: str) -> Headers:
        """These fields with exactly one called `name` (lower case), at the end.

        Raises:
            RequestRejected: `value` holds a control character.
        """
        (added,) = Headers([(name, value)])
        return _trusted((*self.without(name), added))


def _trusted(pairs: tuple[tuple[str, str], ...]) -> Headers:
    headers = Headers.__new__(Headers)
    headers._pairs = pairs
    return headers
