"""What an open page sends to be shown something else; nothing is changed by it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

__all__ = ["Fields", "FieldsHere"]


class Fields:
    """The fields of a form, in their order; one name may be there more than once."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def one(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        return next((value for key, value in reversed(self._pairs) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self._pairs if key == name]


async def _fields(request: Request) -> Fields:
    text = (await request.body()).decode("utf-8", "replace")
    return Fields(parse_qsl(text, keep_blank_values=True, max_num_fields=20_000))


type FieldsHere = Annotated[Fields, Depends(_fields)]
