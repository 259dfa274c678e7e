"""Which connector owns a destination: one at the most, and never by the look of a name."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.connectors.matching import BaseUrl, Origin, OriginIndex


@dataclass(frozen=True)
class Owner:
    name: str
    origins: tuple[Origin, ...]


def owner(name: str, *hosts: str, scheme: str = "https") -> Owner:
    return Owner(name, tuple(Origin.parse(host, scheme=scheme) for host in hosts))


INDEX = OriginIndex(
    [
        owner("github", "api.github.com", "uploads.github.com"),
        owner("wild", "*.example.com", "example.com:8443"),
        owner("apex", "example.com"),
        owner("plain", "plain.example", scheme="http"),
        owner("six", "[::1]:8443"),
    ]
)


@pytest.mark.parametrize(
    ("scheme", "host", "port", "name"),
    [
        ("https", "api.github.com", 443, "github"),
        ("https", "uploads.github.com", 443, "github"),
        ("https", "a.example.com", 443, "wild"),
        ("https", "a.b.example.com", 443, "wild"),
        ("https", "example.com", 443, "apex"),
        ("https", "example.com", 8443, "wild"),
        ("http", "plain.example", 80, "plain"),
        ("https", "[::1]", 8443, "six"),
        # Another port or scheme is another destination.
        ("https", "api.github.com", 8443, None),
        ("http", "api.github.com", 443, None),
        ("http", "api.github.com", 80, None),
        ("https", "plain.example", 443, None),
        ("https", "a.example.com", 8443, None),
        # A name that holds an owned one is another name.
        ("https", "github.com", 443, None),
        ("https", "api.github.com.evil.example", 443, None),
        ("https", "evilapi.github.com", 443, None),
        ("https", "x.api.github.com", 443, None),
        ("https", "evilexample.com", 443, None),
        ("https", "a.evilexample.com", 443, None),
        ("https", "com", 443, None),
        ("https", "localhost", 443, None),
    ],
)
def test_destination_has_its_owner(scheme: str, host: str, port: int, name: str | None) -> None:
    found = INDEX.find(scheme, host, port)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a.example",), ("a.example",)),
        (("a.example",), ("A.example.",)),
        (("*.example.com",), ("a.example.com",)),
        (("a.example.com",), ("*.example.com",)),
        (("*.example.com",), ("*.a.example.com",)),
        (("b.example", "a.example"), ("c.example", "a.example:443")),
    ],
)
def test_destination_with_two_owners_is_refused(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="is owned by another connector as well"):
        OriginIndex([owner("one", *first), owner("two", *second)])


def test_owner_may_name_a_destination_twice() -> None:
    index = OriginIndex([owner("one", "*.example.com", "a.example.com")])
    assert index.find("https", "a.example.com", 443) is not None


HOSTS = st.lists(st.sampled_from(["a", "b", "com"]), min_size=1, max_size=4).map(".".join)


@given(st.lists(st.tuples(st.booleans(), HOSTS), max_size=5), HOSTS)
def test_index_agrees_with_a_search_of_all_origins(rows: list[tuple[bool, str]], host: str) -> None:
    origins = [Origin("https", f"*.{name}" if wild else name, 443) for wild, name in rows]
    index = OriginIndex([Owner("only", tuple(origins))])
    covered = any(origin.covers(Origin("https", host, 443)) for origin in origins)
    assert (index.find("https", host, 443) is not None) == covered


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("a.example", Origin("https", "a.example", 443)),
        ("A.Example.:8443", Origin("https", "a.example", 8443)),
        ("*.a.example", Origin("https", "*.a.example", 443)),
        ("*.a.example:8443", Origin("https", "*.a.example", 8443)),
        ("10.0.0.1", Origin("https", "10.0.0.1", 443)),
    ],
)
def test_origin_is_read(text: str, origin: Origin) -> None:
    assert Origin.parse(text) == origin
    assert str(origin) == f"https://{origin.host}:{origin.port}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.com",
        "*.",
        "*.*.example",
        "a.*.example",
        "*.10.0.0.1",
        "*.[::1]",
        "https://a.example",
        "a/b",
    ],
)
def test_unclear_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Origin.parse(text)


@pytest.mark.parametrize(
    ("url", "origin", "prefix"),
    [
        ("https://a.example", "https://a.example:443", ""),
        ("https://a.example/", "https://a.example:443", ""),
        ("https://a.example:8443/api/v3/", "https://a.example:8443", "/api/v3"),
        ("http://A.example/%61pi", "http://a.example:80", "/api"),
    ],
)
def test_base_url_is_origin_and_prefix(url: str, origin: str, prefix: str) -> None:
    base = BaseUrl.parse(url)
    assert (str(base.origin), base.prefix) == (origin, prefix)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "https://a.example/x?y",
        "https://a.example/#x",
        "https://u@a.example",
        "https://a.example/../x",
        "https://a.example//x",
        "https://a.example/x%2fy",
        "https://*.a.example",
        "ftp://a.example",
    ],
)
def test_unclear_base_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        BaseUrl.parse(url)


@pytest.mark.parametrize(
    ("path", "relative"),
    [
        ("/api/v3", "/"),
        ("/api/v3/", "/"),
        ("/api/v3/x/y", "/x/y"),
        ("/api/v33/x", None),
        ("/api", None),
        ("/", None),
        ("/x/api/v3/y", None),
    ],
)
def test_path_is_relative_to_the_prefix(path: str, relative: str | None) -> None:
    assert BaseUrl.parse("https://a.example/api/v3").relative(path) == relative
    assert BaseUrl.parse("https://a.example").relative(path) == path
