"""The route table: which row covers a path, whatever the order and number of rows."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Category, Risk
from tameflare_core.parsers.route_table import Route, RouteTable, path_template, read_catalogue


def row(path: str, action: str | None = None, method: str = "GET") -> Route:
    action = action or "x." + (
        path.strip("/").replace("{", "").replace("}", "").replace("/", ".") or "root"
    )
    return Route(method=method, path=path, action=action, access=Access.READ, risk=Risk.LOW)


def found(
    table: RouteTable, path: str, method: str = "GET"
) -> tuple[str, Mapping[str, str]] | None:
    match = table.match(method, path)
    return None if match is None else (match.route.path, match.params)


TABLE = RouteTable(
    [
        row("/"),
        row("/a"),
        row("/a/{id}"),
        row("/a/latest"),
        row("/a/{id}/b"),
        row("/a/latest/c"),
        row("/files/{path}"),
        row("/files/{path}/history"),
        row("/{any}/{thing}", method="POST"),
        row("/a/latest", method="PUT"),
    ],
    tail_params=frozenset({"path"}),
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ("/", {})),
        ("/a", ("/a", {})),
        ("/a/7", ("/a/{id}", {"id": "7"})),
        # A literal segment beats a parameter.
        ("/a/latest", ("/a/latest", {})),
        # Where the literal leads nowhere, the parameter is tried.
        ("/a/latest/b", ("/a/{id}/b", {"id": "latest"})),
        ("/a/latest/c", ("/a/latest/c", {})),
        ("/a/7/c", None),
        ("/a/7/b/8", None),
        # A tail takes what is left, as the last choice.
        ("/files/x", ("/files/{path}", {"path": "x"})),
        ("/files/x/y/z", ("/files/{path}", {"path": "x/y/z"})),
        ("/files/x/history", ("/files/{path}/history", {"path": "x"})),
        ("/files/x/y/history", ("/files/{path}", {"path": "x/y/history"})),
        ("/files", None),
        ("/b", None),
        ("/A", None),
        ("/a%2F7", None),
    ],
)
def test_path_is_covered_by_its_row(
    path: str, expected: tuple[str, Mapping[str, str]] | None
) -> None:
    assert found(TABLE, path) == expected


def test_method_is_part_of_a_row() -> None:
    assert found(TABLE, "/a/latest", "PUT") == ("/a/latest", {})
    assert found(TABLE, "/a/7", "PUT") is None
    assert found(TABLE, "/a/7", "POST") == ("/{any}/{thing}", {"any": "a", "thing": "7"})


def test_head_is_read_as_get() -> None:
    assert found(TABLE, "/a", "HEAD") == found(TABLE, "/a", "GET")


def test_later_row_of_the_same_shape_replaces_the_earlier() -> None:
    table = RouteTable([row("/a/{x}", "x.first"), row("/a/{y}", "x.second")])
    match = table.match("GET", "/a/1")
    assert match is not None
    assert (match.route.action, match.params) == ("x.second", {"y": "1"})


SEGMENTS = st.sampled_from(["a", "b", "{x}", "{y}"])
TEMPLATES = st.lists(SEGMENTS, min_size=1, max_size=4, unique=True).map(lambda s: "/" + "/".join(s))


def shape(path: str) -> str:
    return path.replace("{x}", "{}").replace("{y}", "{}")


@given(
    st.lists(TEMPLATES, unique_by=shape),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
    st.randoms(),
)
def test_table_agrees_with_a_search_of_all_rows(
    templates: list[str], segments: list[str], random: st.DataObject
) -> None:
    """The row that covers, with literals before parameters from the left; order never matters."""

    def covers(template: str) -> bool:
        parts = template[1:].split("/")
        return len(parts) == len(segments) and all(
            part.startswith("{") or part == segment
            for part, segment in zip(parts, segments, strict=True)
        )

    def literals(template: str) -> list[bool]:
        return [not part.startswith("{") for part in template[1:].split("/")]

    random.shuffle(templates)  # type: ignore[attr-defined]
    covering = sorted(filter(covers, templates), key=literals, reverse=True)
    match = RouteTable(map(row, templates)).match("GET", "/" + "/".join(segments))
    assert (match.route.path if match else None) == (covering[0] if covering else None)


def test_hostile_table_and_path_are_matched_in_bounded_time() -> None:
    """Each level offers a literal and a parameter, so that a careless search doubles 16 times."""
    depth = 16
    templates = {
        "/"
        + "/".join("a" if bits >> level & 1 else f"{{p{level}}}" for level in range(depth))
        + "/end"
        for bits in range(0, 2**depth, 997)
    }
    table = RouteTable(map(row, sorted(templates)))
    started = time.perf_counter()
    assert table.match("GET", "/" + "a/" * depth + "other") is None
    assert table.match("GET", "/" + "a/" * 4000 + "a") is None
    assert time.perf_counter() - started < 0.05


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/{id}", "/{a}/{b-c}/{d_e}", "/v1.0/$batch", "/a:b/@c"]
)
def test_template_is_plain_segments_and_whole_parameters(path: str) -> None:
    assert path_template(path) == path


def test_slash_at_the_end_of_a_template_is_dropped() -> None:
    assert path_template("/a/{id}/") == "/a/{id}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "/a//b",
        "/a{b}",
        "/{a}.json",
        "/{a}...{b}",
        "/{}",
        "/{a b}",
        "/{a",
        "/a}",
        "/{a}/{a}",
    ],
)
def test_template_that_nothing_matches_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path template"):
        path_template(path)


@pytest.mark.parametrize(
    "path", ["/a b", "/a?x", "/a#b", "/%7Ea", "/%2f", "/..", "/a/./b", "/é", "/a\\b"]
)
def test_template_that_is_not_canonical_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path template"):
        path_template(path)


HEADER = "method\tpath\taction\taccess\trisk\tcategories\n"


def test_catalogue_is_read_row_by_row() -> None:
    (route,) = read_catalogue(HEADER + "PUT\t/a/{id}\tx.a.set\twrite\thigh\tidentity,secrets\n")
    assert route == Route(
        method="PUT",
        path="/a/{id}",
        action="x.a.set",
        access=Access.WRITE,
        risk=Risk.HIGH,
        categories=frozenset({Category.IDENTITY, Category.SECRETS}),
    )
    assert route.parameters == ("id",)


@pytest.mark.parametrize(
    "text",
    [
        "GET\t/a\tx.a\tread\tlow\t\n",
        HEADER + "GET\t/a\tx.a\tread\tlow\n",
        HEADER + "GET\t/a\tx\tread\tlow\t\n",
        HEADER + "GET\t/a\tx.a\treed\tlow\t\n",
        HEADER + "GET\t/a\tx.a\tread\tnone\t\n",
        HEADER + "GET\t/a\tx.a\tread\tlow\tfun\n",
        HEADER + "GET\t/{a}.json\tx.a\tread\tlow\t\n",
    ],
)
def test_malformed_catalogue_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_catalogue(text)
