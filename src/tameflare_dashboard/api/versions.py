"""ETags: an edit says which version it was made on, so that two editors never overwrite."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Header, Response

from tameflare_dashboard.problems import Problem

__all__ = ["IfMatch", "check_version", "tag"]

type IfMatch = Annotated[
    str | None,
    Header(max_length=100, description="The `ETag` that you read. `*` for whatever is there."),
]

_TAG = re.compile(r'"v(\d{1,9})"')


def tag(response: Response, version: int) -> None:
    """Tell the version of what is answered."""
    response.headers["ETag"] = f'"v{version}"'


def check_version(given: str | None, version: int) -> None:
    """Check that an edit was made on the version that is there.

    Args:
        given: `If-Match`.
        version: what is there.

    Raises:
        Problem: 428 without `If-Match`, 412 when there is another version.
    """
    if given is None:
        raise Problem(
            HTTPStatus.PRECONDITION_REQUIRED,
            "version-required",
            "send the `ETag` that you read as `If-Match`, so that nobody's edit is overwritten",
        )
    if given.strip() == "*":
        return
    match = _TAG.fullmatch(given.strip())
    if match is None or int(match[1]) != version:
        raise Problem(
            HTTPStatus.PRECONDITION_FAILED,
            "version-conflict",
            "it was changed since you read it: read it again, and make your edit on that",
            headers={"ETag": f'"v{version}"'},
        )
