"""The request that is judged: one reading of everything, and every method that it may run under."""

from __future__ import annotations

import gzip
import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.body import MAX_INSPECTED
from tameflare_core.canonical import MAX_QUERY
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.request import Body, BodyState, OutboundRequest

FORM = ("Content-Type", "application/x-www-form-urlencoded")
MULTIPART = ("Content-Type", "multipart/form-data; boundary=b")
JSON = ("Content-Type", "application/json")
ANY_METHOD = {"POST", "GET", "PUT", "PATCH", "DELETE"}


def build(
    method: str = "GET",
    target: str = "/",
    *headers: tuple[str, str],
    authority: str = "a.example",
    scheme: str = "https",
    body: bytes | Body = b"",
) -> OutboundRequest:
    return OutboundRequest.build(
        method=method,
        scheme=scheme,
        authority=authority,
        target=target,
        headers=headers,
        body=body if isinstance(body, Body) else Body.complete(body),
    )


def methods(request: OutboundRequest) -> set[str]:
    return {variant.method for variant in request.variants()}


def part(name: str, value: str = "DELETE") -> bytes:
    return f"--b\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}\r\n--b--\r\n".encode()


# The destination


def test_host_header_is_taken_out() -> None:
    request = build("GET", "/x?y=1", ("Host", "A.example:443"), ("Accept", "*/*"))
    assert list(request.headers) == [("accept", "*/*")]
    assert request.url == "https://a.example/x?y=1"
    assert request.target == "/x?y=1"


@pytest.mark.parametrize(
    "host", ["evil.example", "a.example:80", "a.example@evil.example", "", "a.example:443:80"]
)
def test_host_that_names_another_destination_is_rejected(host: str) -> None:
    with pytest.raises(RequestRejected):
        build("GET", "/", ("Host", host))


@pytest.mark.parametrize("name", ["Host", "Content-Type"])
def test_two_fields_of_which_services_take_one_are_rejected(name: str) -> None:
    value = "a.example" if name == "Host" else "text/plain"
    with pytest.raises(RequestRejected, match="more than one"):
        build("POST", "/", (name, value), (name.upper(), value))


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-Url"])
def test_header_that_replaces_the_path_is_rejected(name: str) -> None:
    with pytest.raises(RequestRejected, match="another path"):
        build("GET", "/allowed", (name, "/denied"))


@pytest.mark.parametrize("scheme", ["HTTPS", "http\u017f", "ftp", "ws", ""])
def test_other_scheme_is_rejected(scheme: str) -> None:
    with pytest.raises(RequestRejected, match="neither http nor https"):
        build(scheme=scheme)


@pytest.mark.parametrize(
    ("authority", "scheme", "shown"),
    [
        ("a.example:443", "https", "a.example"),
        ("a.example:443", "http", "a.example:443"),
        ("a.example:8443", "https", "a.example:8443"),
        ("[::1]:80", "http", "[::1]"),
    ],
)
def test_authority_leaves_out_the_usual_port(authority: str, scheme: str, shown: str) -> None:
    assert build(authority=authority, scheme=scheme).authority == shown


def test_question_mark_alone_is_an_empty_query() -> None:
    assert build(target="/x?").target == "/x?"
    assert build(target="/x").query is None


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://a.example", "https://a.example/"),
        ("HTTPS://A.Example:443/x", "https://a.example/x"),
        ("http://a.example?q=1", "http://a.example/?q=1"),
        ("https://a.example/x?u=https://b.example/../y", None),
    ],
)
def test_url_is_read_as_its_parts(url: str, canonical: str | None) -> None:
    assert OutboundRequest.from_url("GET", url).url == (canonical or url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "//a.example/",
        "ftp://a.example/",
        "http\u017f://a.example/",
        "https:/a.example",
        "https:///x",
        "https://a.example/#f",
        "https://a.example#@b.example/",
        "https://user@a.example/",
        "https://a.example\\@b.example/",
        "https://a.example\\.b.example/",
        "https://a.example /",
        "https://a.example/\n",
        " https://a.example/",
    ],
)
def test_unclear_url_is_rejected(url: str) -> None:
    with pytest.raises(RequestRejected):
        OutboundRequest.from_url("GET", url)


def test_head_does_what_get_does() -> None:
    assert build("HEAD").operation == "GET"
    assert build("POST").operation == "POST"


# The body


def test_empty_body_is_absent() -> None:
    assert Body.complete(b"").state is BodyState.ABSENT
    assert build().decoded_body() == b""


def test_body_does_not_show_its_bytes() -> None:
    assert repr(Body.complete(b"secret")) == "Body(COMPLETE, 6 bytes)"


def test_inspected_body_is_whole_or_its_beginning() -> None:
    assert Body.inspected(b"", 4) == Body.absent()
    assert Body.inspected(b"abcd", 4) == Body.complete(b"abcd")
    assert Body.inspected(b"abcde", 4) == Body.oversize(b"abcd")


def test_beginning_of_an_oversize_body_is_all_that_is_read() -> None:
    request = build("POST", body=Body.oversize(b"abcd"))
    assert request.decoded_head() == b"abcd"
    with pytest.raises(OpaqueBody):
        request.decoded_body()
    assert build("POST", body=Body.complete(b"ab")).decoded_head() == b"ab"
    with pytest.raises(OpaqueBody):
        build("POST", body=Body.unread()).decoded_head()


@pytest.mark.parametrize("body", [Body.unread(), Body.oversize(b"{}")])
def test_body_that_was_not_read_is_opaque(body: Body) -> None:
    with pytest.raises(OpaqueBody):
        build("POST", body=body).decoded_body()


def test_with_body_changes_nothing_else() -> None:
    request = build("POST", "/x", JSON, body=Body.unread())
    assert request.with_body(Body.complete(b"{}")) == build("POST", "/x", JSON, body=b"{}")


def test_query_values_are_decoded() -> None:
    assert build(target="/?a=1&b=2&a=%2F+x&a").query_values("a") == ("1", "/ x", "")
    assert build(target="/").query_values("a") == ()


def test_query_with_too_many_parameters_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="too many parameters"):
        build(target="/?" + "&" * 10_001).query_values("a")


# Method overrides


def test_request_without_override_has_one_variant() -> None:
    request = build("POST", "/?method=PUT&_methods=PUT", JSON, body=b'{"_method": "PUT"}')
    assert request.variants() == (request,)


@pytest.mark.parametrize(
    "name",
    [
        "X-HTTP-Method-Override",
        "x-http-method-override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X_HTTP_Method_Override",
        "X-HTTP_METHOD",
    ],
)
def test_header_override_is_judged_too(name: str) -> None:
    assert methods(build("POST", "/", (name, "put"))) == {"POST", "PUT"}


def test_every_override_is_judged() -> None:
    request = build(
        "POST",
        "/?_method=PATCH",
        ("X-HTTP-Method", "PUT"),
        ("X-HTTP-Method", "DELETE"),
        FORM,
        body=b"_method=GET",
    )
    assert methods(request) == {"POST", "PATCH", "PUT", "DELETE", "GET"}
    assert request.variants()[0] is request


@pytest.mark.parametrize(
    "spelling",
    [
        "_method=PUT",
        "%5Fmethod=PUT",
        "_m%65thod=put",
        "a=1&_method=PUT&b=2",
        "a=1;_method=PUT",
        "_method=GET&_method=PUT",
        "+_method=PUT",
        "%20_method=PUT",
        ".method=PUT",
        "[method=PUT",
        "+method=PUT",
        "_method%00x=PUT",
        "_METHOD=PUT",
        "_method=%50UT",
        "_method=+PUT",
    ],
)
@pytest.mark.parametrize("where", ["query", "form", "undeclared form"])
def test_parameter_override_is_judged_in_every_spelling(spelling: str, where: str) -> None:
    if where == "query":
        request = build("POST", f"/?{spelling}")
    else:
        headers = [FORM] if where == "form" else []
        request = build("POST", "/", *headers, body=spelling.encode())
    assert "PUT" in methods(request)


@pytest.mark.parametrize(
    "spelling", ["a_method=PUT", "_method", "a=_method%3DPUT", "_method[x]=PUT"]
)
def test_other_parameters_override_nothing(spelling: str) -> None:
    assert methods(build("POST", f"/?{spelling}")) == {"POST"}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([("X-HTTP-Method", "FOO")], ""),
        ([("X-HTTP-Method", "PUT, GET")], ""),
        ([], "?_method=FOO"),
        ([], "?_method=p%C3%BBt"),
    ],
)
def test_override_by_an_unknown_method_is_rejected(
    headers: list[tuple[str, str]], query: str
) -> None:
    with pytest.raises(RequestRejected, match="unknown method"):
        build("POST", f"/{query}", *headers).variants()


def test_override_to_trace_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="TRACE"):
        build("POST", "/", ("X-HTTP-Method", "trace"), JSON).variants()


def test_empty_override_is_none() -> None:
    assert methods(build("POST", "/?_method=", ("X-HTTP-Method", ""))) == {"POST"}


@pytest.mark.parametrize(
    "name", ['name="_method"', "name=_method", "NAME = '_method'", 'name=".method"']
)
def test_multipart_override_may_be_any(name: str) -> None:
    assert methods(build("POST", "/", MULTIPART, body=part(name))) == ANY_METHOD


def test_multipart_upload_overrides_nothing() -> None:
    body = part('name="file"; filename="my_method.py"', "def _method(): pass")
    assert methods(build("POST", "/", MULTIPART, body=body)) == {"POST"}


@pytest.mark.parametrize(
    ("header", "body"),
    list(
        product(
            [FORM, MULTIPART, ("X-Other", "")],
            [Body.oversize(), Body.unread(), Body.complete(gzip.compress(b"_method=PUT"))],
        )
    ),
)
def test_form_that_cannot_be_read_may_ask_for_any_method(
    header: tuple[str, str], body: Body
) -> None:
    request = build("POST", "/", header, ("Content-Encoding", "unknown"), body=body)
    assert methods(request) == ANY_METHOD


def test_compressed_form_is_read() -> None:
    body = gzip.compress(b"_method=DELETE")
    request = build("POST", "/", FORM, ("Content-Encoding", "gzip"), body=body)
    assert methods(request) == {"POST", "DELETE"}


@pytest.mark.parametrize("body", [Body.oversize(), Body.unread()])
def test_json_of_any_size_overrides_nothing(body: Body) -> None:
    assert methods(build("POST", "/", JSON, body=body)) == {"POST"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET"])
def test_form_overrides_only_post(method: str) -> None:
    assert methods(build(method, "/", FORM, body=b"_method=POST")) == {method}


@pytest.mark.parametrize(
    "body",
    [
        b"&" * MAX_INSPECTED,
        b"+" * MAX_INSPECTED,
        b"&+" * (MAX_INSPECTED // 2),
        b"%20" * (MAX_INSPECTED // 3),
        b"_method=&" * (MAX_INSPECTED // 9),
        b"_metho" * (MAX_INSPECTED // 6),
        b"_method%00" * (MAX_INSPECTED // 10),
    ],
)
def test_hostile_form_is_searched_in_bounded_time(body: bytes) -> None:
    request = build("POST", "/", FORM, body=body)
    started = time.perf_counter()
    request.variants()
    assert time.perf_counter() - started < 0.5


@given(st.binary(max_size=200), st.sampled_from([FORM, MULTIPART, JSON, ("X-Other", "")]))
def test_variants_differ_in_method_only(body: bytes, header: tuple[str, str]) -> None:
    request = build("POST", "/x?y", header, body=body)
    try:
        variants = request.variants()
    except RequestRejected:
        return
    assert len({variant.method for variant in variants}) == len(variants)
    assert {(v.scheme, v.host, v.port, v.path, v.query, v.headers, v.body) for v in variants} == {
        (request.scheme, request.host, 443, "/x", "y", request.headers, request.body)
    }


@given(
    st.sampled_from(["GET", "POST", "get", ""]),
    st.one_of(st.just("a.example"), st.text(max_size=30)),
    st.one_of(st.text(max_size=60), st.text(max_size=60).map("/{}".format)),
    st.lists(st.tuples(st.text(max_size=12), st.text(max_size=20)), max_size=5),
)
def test_any_text_is_built_or_rejected(
    method: str, authority: str, target: str, headers: list[tuple[str, str]]
) -> None:
    try:
        request = build(method, target, *headers, authority=authority)
    except RequestRejected:
        return
    assert OutboundRequest.from_url(method, request.url).url == request.url


def test_longest_query_is_built() -> None:
    assert len(build(target="/?" + "a" * MAX_QUERY).target) == MAX_QUERY + 2
