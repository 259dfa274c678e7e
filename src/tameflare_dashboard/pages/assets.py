"""Files that browsers load: compressed, and kept by them for as long as they are the same."""

from __future__ import annotations

from typing import override

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tameflare_dashboard.pages.rendering import STATIC

__all__ = ["assets"]


class _Kept(StaticFiles):
    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        # Every address names what the file holds, so it never has to be asked for again.
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def assets() -> GZipMiddleware:
    """The application that serves them.

    Pages themselves are sent as they are: a page that holds both a secret and something that a
    stranger chose would tell the secret by its compressed length.
    """
    return GZipMiddleware(_Kept(directory=STATIC))
