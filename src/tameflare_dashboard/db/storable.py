"""Text that both databases can keep."""

from __future__ import annotations

from typing import Any

__all__ = ["storable"]


def storable(value: Any) -> Any:
    """A JSON value in which no text has a NUL or half a character.

    PostgreSQL keeps neither. What comes from an agent may have them, and must not hold up the
    records behind it: they become U+FFFD.
    """
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case dict():
            return {storable(key): storable(each) for key, each in value.items()}
        case list() | tuple():
            return [storable(each) for each in value]
        case _:
            return value
