"""HTTP/1 heads: read strictly on the way in, and refusals written on the way out.

Whatever two parsers could frame differently is refused before any parser of the proxy sees it.
Sources: RFC 9112 sections 2.2, 3, 5 and 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from tameflare_core.canonical import canonical_authority
from tameflare_core.decision import Refusal
from tameflare_core.errors import RequestRejected

__all__ = ["MAX_HEAD", "RequestHead", "absolute_target", "head_end", "parse_head", "render"]

MAX_HEAD = 64 * 1024
"""Longest head, in bytes."""

_MAX_FIELDS = 200

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_HEAD = re.compile(
    rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])\r\n"
    rb"((?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)
_REQUEST_LINE = re.compile(_TOKEN + rb" [\x21-\x7e]+ HTTP/1\.[01]")
_ABSOLUTE = re.compile(r"(?i:http)://([^/?#]*)(.*)")
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and its fields, names in lower case.

    Attributes:
        method: as sent.
        target: as sent.
        version: 0 or 1, the minor version.
        fields: names and values, in order.
    """

    method: str
    target: str
    version: int
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The value of the first field called `name` (lower case); None when there is none."""
        return next((value for own, value in self.fields if own == name), None)

    @property
    def body_size(self) -> int | None:
        """Bytes of the body that follows; None when it says itself where it ends (chunked)."""
        if self.get("transfer-encoding") is not None:
            return None
        return int(self.get("content-length") or 0)


def head_end(data: bytes | bytearray, searched: int = 0) -> int:
    """The index behind the head in `data`; 0 when it is not complete yet.

    Args:
        data: what was received.
        searched: how much of it an earlier call was given.

    Raises:
        RequestRejected: what is there cannot become a head: too long, with bare line ends, or with
            a first line that is no request line.
    """
    # One that was cut off by the end of what was searched begins up to three bytes before it.
    start = max(0, searched - 3)
    end = data.find(b"\r\n\r\n", start, MAX_HEAD)
    if _BARE_LINE_END.search(data, start, end + 4 if end >= 0 else len(data)):
        raise RequestRejected("line end other than CRLF in the request head")
    if end >= 0:
        return end + 4
    if len(data) >= MAX_HEAD:
        raise RequestRejected(f"request head longer than {MAX_HEAD} bytes")
    line = data.find(b"\r\n")
    if line >= start and not _REQUEST_LINE.fullmatch(data, 0, line):
        raise RequestRejected("malformed request head")
    return 0


def parse_head(head: bytes) -> RequestHead:
    """Read one complete head.

    Raises:
        RequestRejected: it is malformed, or its body could be framed in two ways.
    """
    match = _HEAD.fullmatch(head)
    if match is None:
        raise RequestRejected("malformed request head")
    method, target, version, lines = match.groups()
    fields = tuple(
        (name.decode("ascii").lower(), value.decode("latin-1").strip(" \t"))
        for name, _, value in (line.partition(b":") for line in lines.split(b"\r\n")[:-1])
    )
    if len(fields) > _MAX_FIELDS:
        raise RequestRejected(f"more than {_MAX_FIELDS} header fields")
    read = RequestHead(method.decode("ascii"), target.decode("ascii"), int(version), fields)
    _check_framing(read)
    return read


def absolute_target(target: str) -> tuple[str, int, str]:
    """Split a plain proxy request's target into canonical host, port, and origin-form target.

    Raises:
        RequestRejected: it is no absolute http URL, or its host or port can be read in two ways.
    """
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise RequestRejected("a proxy request names an absolute http URL, or uses CONNECT")
    authority, rest = match.groups()
    host, port = canonical_authority(authority, scheme="http")
    return host, port, rest if rest.startswith("/") else f"/{rest}"


def _check_framing(head: RequestHead) -> None:
    lengths = [value for name, value in head.fields if name == "content-length"]
    codings = [value for name, value in head.fields if name == "transfer-encoding"]
    hosts = [value for name, value in head.fields if name == "host"]
    if len(lengths) > 1 or any(not _LENGTH.fullmatch(value) for value in lengths):
        raise RequestRejected("ambiguous `Content-Length`")
    if codings and (len(codings) > 1 or codings[0].lower() != "chunked" or head.version == 0):
        raise RequestRejected("`Transfer-Encoding` other than one `chunked`")
    if codings and lengths:
        raise RequestRejected("both `Content-Length` and `Transfer-Encoding`")
    if len(hosts) > 1 or (not hosts and head.version == 1):
        raise RequestRejected("no `Host` header, or more than one")


def render(refusal: Refusal) -> bytes:
    """A refusal as the bytes of an HTTP/1.1 response after which the connection is closed."""
    body = refusal.body()
    fields = [field for field in refusal.fields() if field[0] != "connection"]
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        *(f"{name}: {value}" for name, value in fields),
        f"content-length: {len(body)}",
        "connection: close",
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
