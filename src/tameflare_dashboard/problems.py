"""Errors as RFC 9457 problem documents; a browser that asked for a page gets one that tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from tameflare_core.errors import ConfigError

__all__ = ["Problem", "ProblemDocument", "add_problem_handlers", "not_found", "problem_response"]

_TYPE = "https://tameflare.dev/problems/"
_log = structlog.get_logger(__name__)


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(examples=[f"{_TYPE}version-conflict"])
    title: str = Field(examples=["Version conflict"])
    status: int = Field(examples=[412])
    detail: str = Field(examples=["the gateway was changed since you read it"])
    errors: list[str] = Field(default=[], description="Each thing that is wrong, with its place.")


class Problem(Exception):
    """A request cannot be done; the API answers with a problem document.

    Attributes:
        status: the HTTP status.
        kind: the last part of the document's `type`.
        detail: what is wrong and what to do, in one sentence.
        errors: the single things that are wrong, each with its place.
        headers: to send along.
    """

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        errors: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})


def not_found(what: str, name: str) -> Problem:
    """404 for a thing that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, "not-found", f"there is no {what} `{name[:200]}`")


def problem_response(problem: Problem) -> JSONResponse:
    """The answer that tells a problem."""
    document = ProblemDocument(
        type=_TYPE + problem.kind,
        title=problem.kind.replace("-", " ").capitalize(),
        status=problem.status,
        detail=problem.detail,
        errors=list(problem.errors),
    )
    content: dict[str, Any] = document.model_dump()
    if not problem.errors:
        del content["errors"]
    return JSONResponse(
        content,
        status_code=problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )


def _told(request: Request, problem: Problem) -> Response:
    """The answer that tells a problem, in the form that whoever asked can use."""
    url = request.url
    if url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return problem_response(problem)
    part_of = request.headers.get("hx-current-url")  # an open page asks for a part of itself
    if problem.status == HTTPStatus.UNAUTHORIZED and (request.method == "GET" or part_of):
        page = urlsplit(part_of or str(url))
        login = "/login?" + urlencode({"next": page._replace(scheme="", netloc="").geturl()})
        if part_of:
            return Response(status_code=problem.status, headers={"HX-Redirect": login})
        return RedirectResponse(login, status_code=HTTPStatus.SEE_OTHER)
    templates = request.app.state.templates
    text = templates.render("problem.html", {"problem": problem})
    headers = {**problem.headers, "Cache-Control": "no-store"}
    return HTMLResponse(text, status_code=problem.status, headers=headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(ConfigError, _bad_document)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, _database)
    app.add_exception_handler(DataError, _not_storable)
    app.add_exception_handler(UnicodeEncodeError, _not_storable)
    app.add_exception_handler(Exception, _unexpected)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _told(request, error)


async def _bad_document(request: Request, error: Exception) -> Response:
    assert isinstance(error, ConfigError)
    return _told(request, bad_document(error))


def bad_document(error: ConfigError) -> Problem:
    """422 for a gateway's document that cannot be loaded."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "bad-configuration",
        "the gateway would not load with this: nothing was changed",
        errors=error.problems,
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # What was sent is not repeated: it may be a password or a credential.
    errors = [
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'][:300]}"
        for item in error.errors()
    ]
    return _told(
        request,
        Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "the request is not of the form that the API describes: see `errors`",
            errors=errors,
        ),
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    return _told(
        request,
        Problem(
            status,
            status.phrase.lower().replace(" ", "-"),
            f"{status.phrase.lower()}: see /api/openapi.json for what there is",
            headers=error.headers,
        ),
    )


async def _database(request: Request, error: Exception) -> Response:
    # The statement and its parameters are in the error's text; the driver's own words are not.
    cause = error.orig if isinstance(error, DBAPIError) else error
    why = str(cause).strip().splitlines()[0][:200] if str(cause).strip() else "no answer"
    _log.error("database unavailable", why=why)
    return _told(
        request,
        Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "database-unavailable",
            f"the database cannot be used now, and nothing was changed: {why}",
            headers={"Retry-After": "5"},
        ),
    )


async def _not_storable(request: Request, _: Exception) -> Response:
    return _told(
        request,
        Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "a value cannot be kept: it is out of range, or its text has a character like NUL",
        ),
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    return _told(
        request,
        Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "unexpected",
            f"unexpected error `{type(error).__name__}`: the log has more",
        ),
    )
