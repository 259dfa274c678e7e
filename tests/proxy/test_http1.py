from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.decision import Refusal
from tameflare_core.errors import RequestRejected
from tameflare_proxy.http1 import MAX_HEAD, absolute_target, head_end, parse_head, render

MALFORMED = [
    # D6 37-39: framing
    "POST / HTTP/1.1|Host: a|Content-Length: 4|Transfer-Encoding: chunked",
    "POST / HTTP/1.1|Host: a|Content-Length: 4|Content-Length: 5",
    "POST / HTTP/1.1|Host: a|Content-Length: 4|Content-Length: 4",
    "POST / HTTP/1.1|Host: a|Content-Length: +4",
    "POST / HTTP/1.1|Host: a|Content-Length: 4, 4",
    "POST / HTTP/1.1|Host: a|Content-Length: 0x4",
    "POST / HTTP/1.1|Host: a|Content-Length: -1",
    "POST / HTTP/1.1|Host: a|Content-Length: 04",
    "POST / HTTP/1.1|Host: a|Content-Length: ",
    "POST / HTTP/1.1|Host: a|Content-Length: 4 4",
    "POST / HTTP/1.1|Host: a|Content-Length: \xb2",
    "POST / HTTP/1.1|Host: a|Content-Length: 99999999999999999999",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked,",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding: xchunked",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip, chunked",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked, identity",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding: identity",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding: \x0bchunked",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding : chunked",
    "POST / HTTP/1.1|Host: a|Transfer-Encoding:| chunked",
    "POST / HTTP/1.0|Host: a|Transfer-Encoding: chunked",
    # D6 41: lines
    "GET / HTTP/1.1|Host: a|X: b\nY: c",
    "GET / HTTP/1.1|Host: a|X: b\rY: c",
    "GET / HTTP/1.1|Host: a|X: b\0",
    "GET / HTTP/1.1|Host: a|X: b\x7f",
    "GET / HTTP/1.1|Host: a|X\0: b",
    "GET / HTTP/1.1|Host: a| folded",
    "GET / HTTP/1.1|Host: a|\tfolded",
    "GET / HTTP/1.1| Host: a",
    "GET / HTTP/1.1|Host: a|: empty",
    "GET / HTTP/1.1|Host: a|no colon",
    "GET / HTTP/1.1|Host: a|" + "|".join(["X: y"] * 1000),
    # D6 44: versions and request lines
    "GET /",
    "GET / HTTP/0.9|Host: a",
    "GET / HTTP/2.0|Host: a",
    "PRI * HTTP/2.0",
    "GET / HTTP/1.2|Host: a",
    "GET / HTTP/01.1|Host: a",
    "GET / http/1.1|Host: a",
    "GET  / HTTP/1.1|Host: a",
    "GET / HTTP/1.1 |Host: a",
    " GET / HTTP/1.1|Host: a",
    "GET\t/ HTTP/1.1|Host: a",
    "GET / x HTTP/1.1|Host: a",
    "GET /\xe9 HTTP/1.1|Host: a",
    "GE(T / HTTP/1.1|Host: a",
    # D7 49: hosts
    "GET / HTTP/1.1",
    "GET / HTTP/1.1|Host: a|Host: a",
]


def wire(text: str) -> bytes:
    return text.replace("|", "\r\n").encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_head_is_rejected(text: str) -> None:
    data = wire(text)
    with pytest.raises(RequestRejected):
        parse_head(data[: head_end(data)])


def test_head_is_read() -> None:
    head = parse_head(wire("POST /a?b HTTP/1.1|HOST: a|X-Note: \t caf\xe9  |Content-Length: 4"))
    assert (head.method, head.target, head.version) == ("POST", "/a?b", 1)
    assert head.fields == (("host", "a"), ("x-note", "caf\xe9"), ("content-length", "4"))
    assert head.get("x-note") == "caf\xe9"
    assert head.get("x-none") is None


@pytest.mark.parametrize(
    ("field", "size"),
    [
        ("X: y", 0),
        ("Content-Length: 0", 0),
        ("Content-Length: 12", 12),
        ("Transfer-Encoding: Chunked", None),
    ],
)
def test_body_size_is_what_the_head_says(field: str, size: int | None) -> None:
    assert parse_head(wire(f"POST / HTTP/1.1|Host: a|{field}")).body_size == size


def test_http_1_0_needs_no_host() -> None:
    assert parse_head(wire("GET / HTTP/1.0")).version == 0


def test_head_ends_behind_its_empty_line() -> None:
    head = wire("GET / HTTP/1.1|Host: a")
    assert head_end(head + b"body\n\n") == len(head)


@given(st.lists(st.integers(1, 60), max_size=20))
def test_head_is_found_however_it_is_cut(cuts: list[int]) -> None:
    data = wire("GET / HTTP/1.1|Host: a|X-Note: something longer")
    searched = 0
    for cut in sorted({min(cut, len(data) - 1) for cut in cuts}):
        assert head_end(data[:cut], searched) == 0
        searched = cut
    assert head_end(data, searched) == len(data)


@pytest.mark.parametrize("ending", [b"\n", b"\r\r\n", b"\rX"])
def test_bare_line_end_is_found_at_once(ending: bytes) -> None:
    start = b"GET / HTTP/1.1\r\nHost: a"
    assert head_end(start) == 0
    with pytest.raises(RequestRejected, match="line end"):
        head_end(start + ending, len(start))


@pytest.mark.parametrize("line", [b"SSH-2.0-OpenSSH_9.6", b"EHLO mail.example", b"\0\0\0"])
def test_other_protocol_is_found_at_its_first_line(line: bytes) -> None:
    with pytest.raises(RequestRejected):
        head_end(line + b"\r\n")


def test_endless_head_is_rejected() -> None:
    data = b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD
    assert head_end(data[: MAX_HEAD - 1]) == 0
    with pytest.raises(RequestRejected, match="longer"):
        head_end(data[:MAX_HEAD])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://a.example/b?c", ("a.example", 80, "/b?c")),
        ("HTTP://A.example:8080", ("a.example", 8080, "/")),
        ("http://a.example?b", ("a.example", 80, "/?b")),
        ("http://[::1]:81/", ("[::1]", 81, "/")),
        ("http://a.example#@b.example/", ("a.example", 80, "/#@b.example/")),
    ],
)
def test_absolute_target_is_split(target: str, expected: tuple[str, int, str]) -> None:
    assert absolute_target(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "*",
        "https://a.example/",
        "ftp://a.example/",
        "http:/a.example/",
        "http:///",
        "http://a@b.example/",
        "http://a.example\\@b.example/",
        "http://a.example:0/",
        "http://a.example:99999/",
        "http://2130706433/",
        "http://127.1/",
        "http://a..b/",
    ],
)
def test_other_target_is_no_proxy_request(target: str) -> None:
    with pytest.raises(RequestRejected):
        absolute_target(target)


TOKENS = st.text("abcXYZ-!~", min_size=1, max_size=6)
VALUES = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=8)


@given(
    st.sampled_from(["GET", "POST", "G!T", ""]),
    st.text(st.characters(min_codepoint=0x1F, max_codepoint=0x80), max_size=6),
    st.sampled_from(["1.1", "1.0", "1.2", "2.0"]),
    st.lists(
        st.tuples(
            st.one_of(TOKENS, st.sampled_from(["Host", "Content-Length", "Transfer-Encoding"])),
            st.one_of(VALUES, st.sampled_from(["a", "4", "chunked", " 4 ", "4,4"])),
        ),
        max_size=4,
    ),
)
def test_what_is_read_h11_reads_alike(
    method: str, target: str, version: str, pairs: list[tuple[str, str]]
) -> None:
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}:{value}" for name, value in pairs)]
    data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    try:
        head = parse_head(data[: head_end(data)])
    except RequestRejected:
        return
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(data)
    try:
        event = reader.next_event()
    except h11.RemoteProtocolError:
        return  # it may be stricter
    assert isinstance(event, h11.Request)
    assert event.method.decode() == head.method
    assert event.target.decode() == head.target
    assert event.http_version.decode() == f"1.{head.version}"
    # It reads the codings in lower case.
    expected = [
        (name, value.lower() if name == "transfer-encoding" else value)
        for name, value in head.fields
    ]
    assert [(name.decode(), value.decode("latin-1")) for name, value in event.headers] == expected


def test_refusal_is_a_whole_response() -> None:
    refusal = Refusal(
        status=407,
        kind="token-required",
        title="t",
        detail="d",
        hint="h",
        request_id="1",
        headers=(("connection", "keep-alive"), ("x-note", "n")),
    )
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(render(refusal))
    response, body = reader.next_event(), reader.next_event()
    assert isinstance(response, h11.Response)
    assert isinstance(body, h11.Data)
    assert response.status_code == 407
    headers = dict(response.headers)
    assert headers[b"connection"] == b"close"
    assert headers[b"x-note"] == b"n"
    assert bytes(body.data) == refusal.body()
    assert isinstance(reader.next_event(), h11.EndOfMessage)
