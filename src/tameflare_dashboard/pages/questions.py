"""What somebody pastes to ask what would happen: a curl line, a request, or an action's name."""

from __future__ import annotations

import argparse
import shlex
from typing import NoReturn, override

from tameflare_core.explanation import Asked
from tameflare_core.gateway import Gateway
from tameflare_dashboard.pages.samples import sample_request

__all__ = ["NotAsked", "read_question"]


class NotAsked(ValueError):
    """A text from which no request can be read; the message says what would help."""


def read_question(text: str, gateway: Gateway) -> Asked:
    """The request that a text is about.

    Args:
        text: `curl …`, `METHOD URL`, a URL, or the name of an action.
        gateway: whose connectors know the actions.

    Raises:
        NotAsked: it is none of these.
    """
    text = text.strip().removeprefix("$ ")
    if text.startswith("curl "):
        return _curl(text)
    first, _, rest = text.partition(" ")
    if "://" in rest:
        return Asked(method=first, url=rest.strip())
    if "://" in first and not rest:
        return Asked(method="GET", url=first)
    for bound in gateway.connectors:
        for route in bound.connector.operations:
            if route.action == text:
                return sample_request(bound, route)
    raise NotAsked(
        "write an action of one of the connectors like `github.pr.merge`, a request like"
        " `DELETE https://api.github.com/repos/o/r`, or paste a curl command"
    )


class _Options(argparse.ArgumentParser):
    @override
    def error(self, message: str) -> NoReturn:
        raise NotAsked(f"this curl command cannot be read: {message}")


def _curl(text: str) -> Asked:
    try:
        words = shlex.split(text.replace("\\\r\n", " ").replace("\\\n", " "))[1:]
    except ValueError as error:
        raise NotAsked(f"this curl command cannot be read: {str(error).lower()}") from None
    options = _Options(prog="curl", add_help=False, allow_abbrev=False)
    options.add_argument("-X", "--request")
    options.add_argument("-H", "--header", action="append", default=[])
    options.add_argument(
        "-d", "--data", "--data-raw", "--data-binary", "--data-ascii", action="append"
    )
    options.add_argument("--json", action="append")
    options.add_argument("-G", "--get", action="store_true")
    options.add_argument("-I", "--head", action="store_true")
    options.add_argument("-u", "--user")
    options.add_argument("--url")
    given, rest = options.parse_known_args(words)
    urls = [word for word in rest if not word.startswith("-")]
    url = given.url or next((word for word in urls if "://" in word), None)
    if url is None:
        raise NotAsked("this curl command has no URL with `https://`")
    headers = [
        (name.strip().lower(), value.strip())
        for name, _, value in (field.partition(":") for field in given.header)
    ]
    data = given.json or given.data
    if data and any(part.startswith("@") for part in data):
        raise NotAsked("the data is in a file: paste it into the command instead of `@FILE`")
    body = None if not data else "&".join(data)
    if given.json:
        headers.append(("content-type", "application/json"))
    if body is not None and given.get:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", None
    if body is not None and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/x-www-form-urlencoded"))
    method = given.request or ("HEAD" if given.head else "GET" if body is None else "POST")
    return Asked(
        method=method,
        url=url,
        headers=tuple(headers),
        body=None if body is None else body.encode(),
    )
