"""Content codings, decoded under a limit and without ambiguity.

A body that two readers would decode differently (two gzip members, bytes behind the end, an unknown
coding) is opaque: its action cannot be named, so only a rule written for opaque requests lets it
pass. Source: RFC 9110 section 8.4.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from tameflare_core.errors import OpaqueBody

__all__ = ["MAX_DECODED", "MAX_INSPECTED", "decode", "decode_head"]

MAX_INSPECTED = 1024 * 1024
"""Bytes of a body, as sent, that are read to name its action."""

MAX_DECODED = 8 * 1024 * 1024
"""Bytes that an inspected body may decode to."""

_MAX_CODINGS = 2
# One zstd block of 4 bytes can stand for 128 KiB, so 256 bytes in is at most 8 MiB out.
_ZSTD_SLICE = 256


def decode(data: bytes, content_encoding: str, *, limit: int = MAX_DECODED) -> bytes:
    """Undo the codings named in a `Content-Encoding` header.

    Args:
        data: the body as it was sent.
        content_encoding: the header's value, empty when there is none.
        limit: the largest result, in bytes, of each step.

    Raises:
        OpaqueBody: an unknown coding, more than two of them, damage, data behind the end of the
            stream, a second gzip member, or a result over `limit`.
    """
    codings = _codings(content_encoding)
    if len(codings) > _MAX_CODINGS:
        raise OpaqueBody("too many content codings")
    for coding in reversed(codings):
        decoder = _DECODERS.get(coding)
        if decoder is None:
            raise OpaqueBody("unknown content coding")
        try:
            data = decoder(data, limit)
        except OpaqueBody:
            raise
        except Exception:  # noqa: BLE001  # each library has errors of its own
            raise OpaqueBody("damaged content coding") from None
    return data


def decode_head(data: bytes, content_encoding: str, *, limit: int = MAX_DECODED) -> bytes:
    """Undo the coding of a body of which only the beginning is there.

    Only gzip is undone: what sends large bodies and decides by their beginning, which is git, uses
    no other coding.

    Args:
        data: the beginning of the body as it was sent; more follows.
        content_encoding: the header's value, empty when there is none.
        limit: bytes of the result at the most; what is beyond is left out.

    Raises:
        OpaqueBody: another coding, damage, or a stream that ends before the body does.
    """
    codings = _codings(content_encoding)
    if not codings:
        return data[:limit]
    if codings not in (["gzip"], ["x-gzip"]):
        raise OpaqueBody("the beginning of a body in this content coding is not read")
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        out = stream.decompress(data, limit)
    except zlib.error:
        raise OpaqueBody("damaged content coding") from None
    if stream.eof:
        raise OpaqueBody("content coding is followed by more data")
    return out


def _codings(content_encoding: str) -> list[str]:
    codings = [part.strip().lower() for part in content_encoding.split(",") if part.strip()]
    return [coding for coding in codings if coding != "identity"]


def _inflate(data: bytes, limit: int, window_bits: int) -> bytes:
    stream = zlib.decompressobj(window_bits)
    out = stream.decompress(data, limit + 1)
    return _whole(out, limit, finished=stream.eof, rest=stream.unused_data)


def _gzip(data: bytes, limit: int) -> bytes:
    return _inflate(data, limit, 16 + zlib.MAX_WBITS)


def _deflate(data: bytes, limit: int) -> bytes:
    # The name means zlib's format; some clients send the bare stream. No bytes are valid as both.
    try:
        return _inflate(data, limit, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(data, limit, -zlib.MAX_WBITS)


def _brotli(data: bytes, limit: int) -> bytes:
    import brotli

    stream = brotli.Decompressor()
    out: bytes = stream.process(data, output_buffer_limit=limit + 1)
    return _whole(out, limit, finished=stream.is_finished())


def _zstd(data: bytes, limit: int) -> bytes:
    import zstandard

    stream = zstandard.ZstdDecompressor(max_window_size=limit).decompressobj()
    out = bytearray()
    rest = b""
    for start in range(0, len(data), _ZSTD_SLICE):
        if stream.eof:
            rest = data[start:]
            break
        out += stream.decompress(data[start : start + _ZSTD_SLICE])
        if len(out) > limit:
            break
    return _whole(bytes(out), limit, finished=stream.eof, rest=rest or stream.unused_data)


def _whole(out: bytes, limit: int, *, finished: bool, rest: bytes = b"") -> bytes:
    if len(out) > limit:
        raise OpaqueBody("body too large when decoded")
    if not finished or rest:
        raise OpaqueBody("content coding is cut off or followed by more data")
    return out


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
