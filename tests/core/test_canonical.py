"""One spelling for each destination: nothing is widened, and no two destinations become one."""

from __future__ import annotations

import contextlib
import re
import time
import tracemalloc
import unicodedata
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tameflare_core.canonical import (
    MAX_PATH,
    MAX_QUERY,
    Ambiguity,
    canonical_authority,
    canonical_host,
    canonical_method,
    canonical_path,
    canonical_query,
)
from tameflare_core.errors import RequestRejected

# Pieces that earlier filters fell over, mixed with plain text.
_PIECES = st.sampled_from(
    [
        "/",
        ".",
        "..",
        "%2e",
        "%2E",
        "%252e",
        "%2f",
        "%2F",
        "%5c",
        "%00",
        "%7F",
        "%41",
        "%7e",
        ";x",
        "%C3%A9",
        "%c3%a9",
        "%C0%AE",
        "%C2%9B",
        "%",
        "%4",
        "%zz",
        "\\",
        "#",
        "?",
        " ",
        '"',
        "{",
        "|",
        "a",
        "B",
        "merge",
        ":",
        "@",
        "+",
        "%2B",
        "%3B",
        "%3b",
        "é",
        "\x00",
        "\t",
        "\x7f",
    ]
)
_CLEAR_PIECES = st.sampled_from(
    ["/a", "/B", "/..a", "/.x", "/%41", "/%7e", "/%252e", "%2f", "%C3%A9", "%c3%a9", ";x", "[", '"']
)
paths = st.one_of(
    st.lists(_CLEAR_PIECES, min_size=1, max_size=8).map(lambda parts: "/r" + "".join(parts)),
    st.text(st.characters(min_codepoint=0x26, max_codepoint=0x5A), max_size=9).map("/x{}".format),
    st.lists(_PIECES, max_size=9).map(lambda parts: "/" + "".join(parts)),
)
queries = st.one_of(st.lists(_PIECES, max_size=12).map("".join), st.text(max_size=60))
_NAME_PIECES = st.sampled_from(
    [
        "api",
        "github",
        "com",
        "evil",
        ".",
        "..",
        "。",
        "\uff0e",
        "-",
        "_",
        "xn--",
        "\uff41",
        "\u212a",
        "\xad",
        "\u200d",
        "ß",
        "é",
        "1",
        "0x7f",
        "127",
        "@",
        ":",
        "/",
        "%2e",
        "[",
        "]",
        " ",
        "\x00",
        "*",
    ]
)
hosts = st.one_of(
    st.lists(_NAME_PIECES, max_size=8).map("".join),
    st.text(max_size=30),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)


def path_of(raw: str) -> str:
    try:
        return canonical_path(raw).text
    except RequestRejected:
        assume(False)
        raise


# Paths


@given(paths)
@example("/" + '"' * 3000)
def test_canonical_path_is_its_own_canonical_form(raw: str) -> None:
    once = path_of(raw)
    assert canonical_path(once) == canonical_path(raw)
    assert canonical_path(once).text == once


@given(paths)
def test_path_keeps_its_meaning_segment_by_segment(raw: str) -> None:
    """Decoded once, as RFC 3986 says, each segment is what it was, and none appears or goes."""
    canonical = path_of(raw)
    assert [unquote_to_bytes(part) for part in canonical.split("/")] == [
        unquote_to_bytes(part) for part in raw.split("/")
    ]


@given(st.tuples(paths, paths))
@example(("/a%2Fb", "/a/b"))
@example(("/%7Ea", "/~a"))
@example(("/a%252Fb", "/a%2Fb"))
def test_different_destinations_stay_different(pair: tuple[str, str]) -> None:
    first, second = map(path_of, pair)
    decoded = [[unquote_to_bytes(part) for part in raw.split("/")] for raw in pair]
    assert (first == second) <= (decoded[0] == decoded[1])


@given(paths)
def test_canonical_path_holds_nothing_ambiguous(raw: str) -> None:
    text = path_of(raw)
    assert text.isascii()
    assert text.isprintable()
    assert not re.search(r"[ \"#<>?\\^`{|}\[\]]", text)
    for encoding in re.findall(r"%..", text):
        assert encoding == encoding.upper()
        assert not re.fullmatch(r"[A-Za-z0-9\-._~]", chr(int(encoding[1:], 16)))
    for part in re.split(r"/|%2F", text):
        assert part not in {".", ".."}
    decoded = unquote_to_bytes(text).decode("utf-8")
    assert not any(unicodedata.category(char) == "Cc" for char in decoded)
    assert "\\" not in decoded
    assert len(text) <= MAX_PATH


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/", "/"),
        ("/repos/o/r", "/repos/o/r"),
        ("/%72epos/%6f/r", "/repos/o/r"),
        ("/a%2d%5f%2E%7Eb", "/a-_.~b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a[b]", "/a%5Bb%5D"),
        ("/x%252e%252e/y", "/x%252e%252e/y"),
        ("/repos/o/r/contents/.github", "/repos/o/r/contents/.github"),
        ("/a/...", "/a/..."),
        ("/a..b/.c", "/a..b/.c"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/%E2%80%AEx", "/%E2%80%AEx"),
    ],
)
def test_path_has_one_form(raw: str, canonical: str) -> None:
    assert canonical_path(raw) == (canonical, frozenset())


@pytest.mark.parametrize(
    ("raw", "ambiguities"),
    [
        ("//a", {Ambiguity.EMPTY_SEGMENT}),
        ("/a//b", {Ambiguity.EMPTY_SEGMENT}),
        ("//", {Ambiguity.EMPTY_SEGMENT, Ambiguity.TRAILING_SLASH}),
        ("/a/", {Ambiguity.TRAILING_SLASH}),
        ("/a//", {Ambiguity.EMPTY_SEGMENT, Ambiguity.TRAILING_SLASH}),
        ("/a%2fb", {Ambiguity.ENCODED_SLASH}),
        ("/a%2F", {Ambiguity.ENCODED_SLASH, Ambiguity.EMPTY_SEGMENT}),
        ("/%2fa", {Ambiguity.ENCODED_SLASH, Ambiguity.EMPTY_SEGMENT}),
    ],
)
def test_what_services_read_differently_is_named(raw: str, ambiguities: set[Ambiguity]) -> None:
    assert canonical_path(raw).ambiguities == ambiguities


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "*",
        "/.",
        "/..",
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/.%2E/b",
        "/a/..;x=1/b",
        "/a/..%3Bx/b",
        "/a%2F..%2Fb",
        "/..%2fb",
        "/a%2f.",
        "/a\\b",
        "/a%5cb",
        "/a%00",
        "/a%0d%0a",
        "/a%7f",
        "/%C2%9B",
        "/%C0%AE%C0%AE/",
        "/%FF",
        "/%",
        "/%4",
        "/%zz",
        "/%+1",
        "/% 1",
        "/%%41",
        "/a b",
        "/a\tb",
        "/a#b",
        "/a\x00",
        "/a\r\nb",
        "/é",
        "/\uff11",
    ],
)
def test_unclear_path_is_rejected(raw: str) -> None:
    with pytest.raises(RequestRejected):
        canonical_path(raw)


def test_path_may_be_as_long_as_the_limit() -> None:
    assert canonical_path("/" + "a" * (MAX_PATH - 1)).text
    with pytest.raises(RequestRejected, match="longer than"):
        canonical_path("/" + "a" * MAX_PATH)


def test_path_that_outgrows_the_limit_when_encoded_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="longer than"):
        canonical_path("/" + '"' * (MAX_PATH // 2))


@pytest.mark.parametrize(
    "raw",
    [
        "/" + "%2e" * 50_000,
        "/" * 8000,
        "/a" * 4000,
        "/" + "%41" * 2700,
        "/a;" * 2700,
        "/" + "." * 8000,
    ],
)
def test_hostile_path_is_read_in_bounded_time(raw: str) -> None:
    started = time.perf_counter()
    with contextlib.suppress(RequestRejected):
        canonical_path(raw)
    assert time.perf_counter() - started < 0.05


# Queries


@given(queries)
def test_canonical_query_is_its_own_canonical_form(raw: str) -> None:
    try:
        once = canonical_query(raw)
    except RequestRejected:
        return
    assert canonical_query(once) == once
    assert unquote_to_bytes(once) == unquote_to_bytes(raw)
    assert once.isascii()
    assert not re.search(r"[\x00-\x20\x7f#]", once)


def test_query_keeps_what_would_be_odd_in_a_path() -> None:
    assert (
        canonical_query("path=a/../b&x[]={1|2}&u=http://h/") == "path=a/../b&x[]={1|2}&u=http://h/"
    )


def test_query_parameter_cannot_hide_behind_an_encoding() -> None:
    assert canonical_query("%5fmeth%6fd=PUT") == "_method=PUT"


@pytest.mark.parametrize("raw", ["a b", "a#b", "a=%", "a=%g1", "é", "a\x00", "a\r\nHost: x"])
def test_unclear_query_is_rejected(raw: str) -> None:
    with pytest.raises(RequestRejected):
        canonical_query(raw)


def test_query_over_the_limit_is_rejected() -> None:
    assert canonical_query("a" * MAX_QUERY)
    for raw in ("a" * (MAX_QUERY + 1), '"' * (MAX_QUERY // 2)):
        with pytest.raises(RequestRejected, match="longer than"):
            canonical_query(raw)


# Hosts


@given(hosts)
def test_canonical_host_is_its_own_canonical_form(raw: str) -> None:
    try:
        once = canonical_host(raw)
    except RequestRejected:
        return
    assert canonical_host(once) == once
    assert once.isascii()
    assert once == once.lower()
    assert re.fullmatch(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]", once)
    assert not once.endswith(".")


@given(hosts)
@example("\uff41pi.github.com")
@example("api\u3002github\u3002com")
@example("api.github.com.")
@example("API.GitHub.COM")
def test_only_spellings_of_a_host_become_it(raw: str) -> None:
    """UTS #46 maps by NFKC and case folding and drops what is ignorable, and nothing else."""
    try:
        canonical = canonical_host(raw)
    except RequestRejected:
        return
    if canonical.startswith("[") or "xn--" in canonical:
        return
    shown = "".join(char for char in raw if unicodedata.category(char) not in {"Cf", "Mn"})
    folded = unicodedata.normalize("NFKC", shown).casefold().replace("\u3002", ".")
    assert folded.removesuffix(".") == canonical


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("api.github.com", "api.github.com"),
        ("API.GITHUB.COM", "api.github.com"),
        ("api.github.com.", "api.github.com"),
        ("api\u3002github\u3002com", "api.github.com"),
        ("\uff41pi.github.com", "api.github.com"),
        ("faß.de", "xn--fa-hia.de"),
        ("xn--fa-hia.de", "xn--fa-hia.de"),
        ("a_b.example", "a_b.example"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[0:0::0:1]", "[::1]"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
    ],
)
def test_host_has_one_form(raw: str, canonical: str) -> None:
    assert canonical_host(raw) == canonical


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "a..b",
        "api.github.com..",
        ".a",
        "-a.com",
        "a-.com",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "a@b",
        "a:b",
        "a%2eb",
        "*.a.com",
        "evil.com\x00.github.com",
        "a\r\nb",
        "a\uff0e\uff0eb",
        "evil.com\uff0fx",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "0",
        "0177.0.0.1",
        "1.2.3.4.5",
        "256.1.1.1",
        "xn--a",
        "xn--ls8h.la",
        "ab--c.com",
        "[::1",
        "[::1]x",
        "[fe80::1%25eth0]",
        "[api.github.com]",
        "[]",
        "[v1.a]",
        "[::1]]",
        "a" * 64 + ".com",
        "a." * 130,
        "_a.\u212a.com",
    ],
)
def test_unclear_host_is_rejected(raw: str) -> None:
    with pytest.raises(RequestRejected):
        canonical_host(raw)


def test_look_alike_is_another_host() -> None:
    assert canonical_host("\u0430pi.github.com") == "xn--pi-6kc.github.com"


def test_long_hosts_are_not_remembered() -> None:
    canonical_host("warm.example")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(100):
        with pytest.raises(RequestRejected, match="too long"):
            canonical_host(f"{number}." + "a" * 100_000)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert kept < 1_000_000


# Authorities and methods


@pytest.mark.parametrize(
    ("raw", "scheme", "expected"),
    [
        ("a.example", "https", ("a.example", 443)),
        ("a.example", "http", ("a.example", 80)),
        ("a.example:8443", "https", ("a.example", 8443)),
        ("[::1]", "https", ("[::1]", 443)),
        ("[::1]:8080", "http", ("[::1]", 8080)),
        ("A.EXAMPLE.:443", "https", ("a.example", 443)),
    ],
)
def test_authority_is_host_and_port(raw: str, scheme: str, expected: tuple[str, int]) -> None:
    assert canonical_authority(raw, scheme=scheme) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "a.example:",
        "a.example:0",
        "a.example:65536",
        "a.example:443x",
        "a.example:+443",
        "a.example: 1",
        "a.example:0443",
        "a.example:443:80",
        ":443",
        "::1",
        "[::1",
        "[::1]443",
        "[::1]:",
        "[]:1",
        "]:1",
        "a.example:\uff14\uff14\uff13",
        "a.example\uff1a443",
    ],
)
def test_unclear_authority_is_rejected(raw: str) -> None:
    with pytest.raises(RequestRejected):
        canonical_authority(raw, scheme="https")


@pytest.mark.parametrize("raw", ["user:ghp_secret@api.github.com", "ghp_secret@api.github.com:443"])
def test_password_in_an_address_is_not_repeated(raw: str) -> None:
    with pytest.raises(RequestRejected) as refused:
        canonical_authority(raw, scheme="https")
    assert "ghp_secret" not in str(refused.value)


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"]
)
def test_known_method_passes(method: str) -> None:
    assert canonical_method(method) == method


@pytest.mark.parametrize(
    "method", ["get", "Put", "PUT\t", " PUT", "FOO", "", "CONNECT", "P\uff35T"]
)
def test_unknown_method_is_rejected(method: str) -> None:
    with pytest.raises(RequestRejected, match="unknown method"):
        canonical_method(method)


def test_refusal_shows_control_characters_escaped() -> None:
    with pytest.raises(RequestRejected) as refused:
        canonical_method("G\x1b[2K\r\n`ET" + "x" * 1000)
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) < 200
