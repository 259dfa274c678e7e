"""httpx's messages to ours and back: the caller's request, what goes upstream, what comes back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager

import httpcore
import httpx

from tameflare_core.body import MAX_INSPECTED
from tameflare_core.decision import Refusal
from tameflare_core.errors import RequestRejected, UpstreamError
from tameflare_core.headers import Headers
from tameflare_core.request import Body, BodyState, OutboundRequest

__all__ = [
    "AsyncUpload",
    "AsyncUpstreamStream",
    "Upload",
    "UpstreamStream",
    "outbound_request",
    "refusal_response",
    "upstream_error",
    "upstream_request",
    "upstream_response",
]

_FRAMING = frozenset({"content-length", "transfer-encoding"})
# Methods whose requests are expected to have a body (RFC 9110 section 8.6).
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_LENGTH = re.compile(r"[0-9]{1,18}")
_SOURCE_LINE = re.compile(r" \(_ssl\.c:\d+\)")


def outbound_request(request: httpx.Request) -> OutboundRequest:
    """Canonicalise exactly what httpx would put on the wire.

    A body that is in memory and small enough to be inspected is complete; any other is unread.

    Raises:
        RequestRejected: it can be read in two ways.
    """
    url = request.url
    body, length = _body_at_hand(request)
    outbound = OutboundRequest.build(
        method=request.method,
        scheme=url.scheme,
        authority=url.netloc.decode("ascii"),
        target=_text(request.extensions.get("target", url.raw_path)),
        headers=[
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
        ],
        body=body,
    )
    _check_framing(outbound.headers, length)
    server_name = request.extensions.get("sni_hostname")
    if server_name and _text(server_name).lower() != url.raw_host.decode("ascii"):
        raise RequestRejected("the extension `sni_hostname` names another host than the URL")
    return outbound


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _body_at_hand(request: httpx.Request) -> tuple[Body, int | None]:
    """The body and its length, as far as they are known before anything is read."""
    # Other streams may be iterated only once, and only where their bytes go.
    if type(request.stream) is not httpx.ByteStream:
        return Body.unread(), None
    data = b"".join(request.stream)
    return Body.complete(data) if len(data) <= MAX_INSPECTED else Body.unread(), len(data)


def _check_framing(headers: Headers, length: int | None) -> None:
    lengths, codings = headers.get_all("content-length"), headers.get_all("transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise RequestRejected("the length of the body is given twice")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise RequestRejected("`Content-Length` is not a number")
    if lengths and length is not None and int(lengths[0]) != length:
        raise RequestRejected("`Content-Length` differs from the length of the body")
    if codings and codings[0].lower() != "chunked":
        raise RequestRejected("unknown `Transfer-Encoding`")


class Upload:
    """The caller's body, iterated once: first what was read to judge it, then the rest.

    Attributes:
        failure: what the caller's own stream raised, if it did.
    """

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._chunks = self._watched(stream)
        self._read: list[bytes] = []
        self.failure: Exception | None = None

    def read(self, limit: int) -> Body:
        """Read until the end or more than `limit` bytes, and remember them."""
        size = 0
        for chunk in self._chunks:
            self._read.append(chunk)
            size += len(chunk)
            if size > limit:
                break
        return Body.inspected(b"".join(self._read), limit)

    def __iter__(self) -> Iterator[bytes]:
        while self._read:
            yield self._read.pop(0)
        yield from self._chunks

    def _watched(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from stream
        except Exception as error:
            self.failure = error
            raise


class AsyncUpload:
    """`Upload` for a body that is iterated asynchronously."""

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._chunks = self._watched(stream)
        self._read: list[bytes] = []
        self.failure: Exception | None = None

    async def read(self, limit: int) -> Body:
        """Read until the end or more than `limit` bytes, and remember them."""
        size = 0
        async for chunk in self._chunks:
            self._read.append(chunk)
            size += len(chunk)
            if size > limit:
                break
        return Body.inspected(b"".join(self._read), limit)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._read:
            yield self._read.pop(0)
        async for chunk in self._chunks:
            yield chunk

    async def _watched(self, stream: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in stream:
                yield chunk
        except Exception as error:
            self.failure = error
            raise


def upstream_request(
    request: OutboundRequest,
    upload: Iterable[bytes] | AsyncIterable[bytes],
    timeout: Mapping[str, float | None],
) -> httpcore.Request:
    """The request to send, made of the canonical one and nothing else.

    Args:
        request: judged, with its credential.
        upload: the body, for a request whose body was not read as a whole.
        timeout: seconds for `connect`, `write`, `read` and `pool`.
    """
    headers = [("host", request.authority)]
    headers += (pair for pair in request.headers if pair[0] not in _FRAMING)
    headers += _framing(request)
    state = request.body.state
    whole = state is BodyState.ABSENT or state is BodyState.COMPLETE
    return httpcore.Request(
        request.method,
        httpcore.URL(
            scheme=request.scheme,
            # The brackets of an IPv6 address belong to the URL; sockets and TLS take it bare.
            host=request.host.strip("[]"),
            port=request.port,
            target=request.target,
        ),
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        content=request.body.data if whole else upload,
        # Only these: `target` and `sni_hostname` would send something else than was judged, and
        # `trace` would hand the credential to the caller.
        extensions={"timeout": timeout},
    )


def _framing(request: OutboundRequest) -> list[tuple[str, str]]:
    match request.body.state:
        case BodyState.COMPLETE:
            return [("content-length", str(len(request.body.data)))]
        case BodyState.ABSENT:
            return [("content-length", "0")] if request.method in _WITH_BODY else []
        case _:
            length = request.headers.get("content-length")
            return [("content-length", length)] if length else [("transfer-encoding", "chunked")]


def upstream_error(error: Exception, request: OutboundRequest) -> UpstreamError:
    """What a failure before the response's head means for the caller."""
    where, what = f"`{request.host}:{request.port}`", _SOURCE_LINE.sub("", str(error))
    match error:
        case httpcore.PoolTimeout():
            return UpstreamError(f"every connection to {where} is in use; nothing was sent")
        case httpcore.ConnectTimeout():
            return UpstreamError(f"{where} accepted no connection in time; nothing was sent")
        case httpcore.ConnectError():
            return UpstreamError(f"no connection to {where}: {what}; nothing was sent")
        case httpcore.LocalProtocolError():
            # The message quotes header values.
            return UpstreamError(f"the request to {where} cannot be written as HTTP/1.1")
        case _:
            why = f": {what}" if what else " in time"
            return UpstreamError(f"{where} gave no answer{why}; it may have done what was asked")


def upstream_response(
    request: httpx.Request,
    response: httpcore.Response,
    stream: httpx.SyncByteStream | httpx.AsyncByteStream,
) -> httpx.Response:
    """The answer of the upstream, without anything that could pass for one of ours."""
    # A raw connection on which another request could be written is given away only when it has left
    # HTTP, which takes a judged request for that.
    shared = {"http_version", "reason_phrase"} | (
        {"network_stream"} if response.status == 101 else set()
    )
    return httpx.Response(
        response.status,
        headers=[
            (name, value)
            for name, value in response.headers
            if not name.lower().startswith(b"x-tameflare-")
        ],
        stream=stream,
        extensions={key: response.extensions[key] for key in shared & response.extensions.keys()},
        request=request,
    )


def refusal_response(request: httpx.Request, refusal: Refusal) -> httpx.Response:
    """Our own answer in place of the upstream's."""
    return httpx.Response(
        refusal.status, headers=refusal.fields(), content=refusal.body(), request=request
    )


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    # httpx's own map is private; while a body is read, these are the only errors.
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from error
    except httpcore.NetworkError as error:
        raise httpx.ReadError(str(error)) from error
    except httpcore.ProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error


class UpstreamStream(httpx.SyncByteStream):
    """The body of an upstream's answer."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx_errors():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class AsyncUpstreamStream(httpx.AsyncByteStream):
    """The body of an upstream's answer, asynchronously."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()
