"""Content codings: undone when there is one reading, opaque otherwise, bounded always."""

from __future__ import annotations

import contextlib
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.body import MAX_DECODED, decode, decode_head
from tameflare_core.errors import OpaqueBody

TEXT = b'{"state":"closed"}'


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def zstd_without_size(data: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.binary(min_size=1, max_size=3000))
def test_coding_is_undone(coding: str, data: bytes) -> None:
    assert decode(CODINGS[coding](data), coding) == data


@pytest.mark.parametrize("coding", CODINGS)
def test_whole_limit_is_decoded(coding: str) -> None:
    data = b"a" * MAX_DECODED
    assert decode(CODINGS[coding](data), coding) == data


@pytest.mark.parametrize("coding", CODINGS)
def test_bomb_is_opaque_in_bounded_memory_and_time(coding: str) -> None:
    bomb = CODINGS[coding](bytes(200_000_000))
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(OpaqueBody, match="too large"):
        decode(bomb, coding)
    taken = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * MAX_DECODED
    assert taken < 1


@pytest.mark.parametrize("coding", CODINGS)
def test_bomb_in_a_bomb_is_opaque(coding: str) -> None:
    inner = gzip.compress(bytes(50_000_000))
    with pytest.raises(OpaqueBody, match="too large"):
        decode(CODINGS[coding](inner), f"gzip, {coding}")


@pytest.mark.parametrize("coding", CODINGS)
def test_cut_off_stream_is_opaque(coding: str) -> None:
    packed = CODINGS[coding](TEXT * 100)
    for length in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(OpaqueBody):
            decode(packed[:length], coding)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("rest", [b"x", b'{"state":"open"}' * 40])
def test_data_behind_the_end_is_opaque(coding: str, rest: bytes) -> None:
    with pytest.raises(OpaqueBody):
        decode(CODINGS[coding](TEXT) + rest, coding)


@pytest.mark.parametrize("coding", CODINGS)
def test_second_member_is_opaque(coding: str) -> None:
    with pytest.raises(OpaqueBody):
        decode(CODINGS[coding](TEXT) * 2, coding)


@pytest.mark.parametrize("length", range(240, 262))
def test_zstd_frame_may_end_on_any_slice(length: int) -> None:
    data = bytes(range(256)) * 2
    frame = zstandard.ZstdCompressor(level=1).compress(data[:length])
    assert decode(frame, "zstd") == data[:length]
    with pytest.raises(OpaqueBody):
        decode(frame.ljust(512, b"x"), "zstd")


def test_zstd_frame_may_leave_out_its_size() -> None:
    assert decode(zstd_without_size(TEXT), "zstd") == TEXT


def test_deflate_may_be_the_bare_stream() -> None:
    assert decode(raw_deflate(TEXT), "deflate") == TEXT


@pytest.mark.parametrize("named", ["", "identity", " Identity ", ",", "identity, identity"])
def test_no_coding_leaves_the_body_as_it_is(named: str) -> None:
    assert decode(TEXT, named) == TEXT


def test_codings_are_undone_from_the_last() -> None:
    assert decode(brotli.compress(gzip.compress(TEXT)), "gzip, br") == TEXT
    assert decode(gzip.compress(gzip.compress(TEXT)), "GZIP , gzip") == TEXT


@pytest.mark.parametrize(
    "named", ["compress", "aws-chunked", "gzip;q=1", "gzip gzip", "gzip\t,x", "*"]
)
def test_unknown_coding_is_opaque(named: str) -> None:
    with pytest.raises(OpaqueBody, match="unknown"):
        decode(gzip.compress(TEXT), named)


def test_three_codings_are_opaque() -> None:
    with pytest.raises(OpaqueBody, match="too many"):
        decode(TEXT, "gzip, gzip, gzip")


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.binary(min_size=1, max_size=300))
def test_damage_is_opaque(coding: str, data: bytes) -> None:
    with contextlib.suppress(OpaqueBody):
        decode(data, coding)


# The beginning of a body


@pytest.mark.parametrize("coding", ["gzip", "X-GZIP", "identity, gzip"])
def test_beginning_of_a_gzip_body_is_decoded(coding: str) -> None:
    packed = gzip.compress(TEXT * 100)
    head = decode_head(packed[: len(packed) // 2], coding)
    assert 0 < len(head) < len(TEXT * 100)
    assert (TEXT * 100).startswith(head)


def test_beginning_without_a_coding_is_itself() -> None:
    assert decode_head(b"abc", "") == decode_head(b"abc", "identity") == b"abc"


def test_decoded_beginning_is_bounded() -> None:
    packed = gzip.compress(bytes(1_000_000))
    assert decode_head(packed[:-9], "gzip", limit=1000) == bytes(1000)
    assert decode_head(b"abc", "", limit=2) == b"ab"


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "rot13"])
def test_beginning_in_another_coding_is_opaque(coding: str) -> None:
    with pytest.raises(OpaqueBody, match="not read"):
        decode_head(b"abc", coding)


def test_gzip_that_is_damaged_or_ends_early_is_opaque() -> None:
    for data in (b"0000", gzip.compress(TEXT), gzip.compress(TEXT) * 2):
        with pytest.raises(OpaqueBody):
            decode_head(data, "gzip")
