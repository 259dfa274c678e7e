"""OpenAPI documents: what their operations are called, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Category, Risk
from tameflare_core.parsers import openapi
from tameflare_core.parsers.openapi import Defaults, read_openapi
from tameflare_core.parsers.route_table import Route

READ = (Access.READ, Risk.LOW, frozenset[Category]())
WRITE = (Access.WRITE, Risk.MEDIUM, frozenset[Category]())
DELETE = (Access.WRITE, Risk.HIGH, frozenset({Category.DESTRUCTIVE}))
DEFAULTS: Defaults = {
    "GET": READ,
    "OPTIONS": READ,
    "POST": WRITE,
    "PUT": WRITE,
    "PATCH": WRITE,
    "DELETE": DELETE,
}

CRM = """\
openapi: 3.1.0
info: {title: CRM, version: "1"}
servers:
  - {url: https://api.crm.example/v2}
paths:
  x-owner: sales
  /contacts:
    parameters: []
    get:
      tags: [Contacts]
      operationId: listContacts
      responses:
        200: {description: found}
    post:
      tags: [Contacts]
      operationId: contacts.search
      x-tameflare: {access: read, risk: low}
  /contacts/{id}:
    delete:
      tags: [Contacts]
      operationId: deleteContact
    trace:
      operationId: echo
  /contacts/{id}/keys/:
    head: {}
    put:
      x-tameflare: {action: crm.contact.rekey, risk: critical, categories: [secrets, identity]}
"""


def read(document: str | dict[str, Any], folder: Path, *, prefix: str = "") -> list[Route]:
    path = folder / ("api.yaml" if isinstance(document, str) else "api.json")
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_openapi(path, provider="crm", prefix=prefix, defaults=DEFAULTS)


def with_paths(paths: object, **more: object) -> dict[str, Any]:
    return {"openapi": "3.0.3", "paths": paths, **more}


def names(document: str | dict[str, Any], folder: Path) -> list[str]:
    return [route.action for route in read(document, folder)]


def problem(document: str | dict[str, Any], folder: Path, *, prefix: str = "") -> str:
    with pytest.raises(ValueError, match=r"^api\.(json|yaml):") as refused:
        read(document, folder, prefix=prefix)
    return str(refused.value).partition(": ")[2]


def test_operations_become_rows(tmp_path: Path) -> None:
    def row(method: str, path: str, action: str, *meaning: Any) -> Route:
        access, risk, categories = meaning
        return Route(
            method=method,
            path=path,
            action=action,
            access=access,
            risk=risk,
            categories=frozenset(categories),
        )

    secret = {Category.SECRETS, Category.IDENTITY}
    assert read(CRM, tmp_path) == [
        row("GET", "/v2/contacts", "crm.contacts.list", *READ),
        row("POST", "/v2/contacts", "crm.contacts.search", *READ),
        row("DELETE", "/v2/contacts/{id}", "crm.contacts.delete_contact", *DELETE),
        row("GET", "/v2/contacts/{id}/keys", "crm.contacts.get_id_keys", *READ),
        row(
            "PUT",
            "/v2/contacts/{id}/keys",
            "crm.contact.rekey",
            Access.WRITE,
            Risk.CRITICAL,
            secret,
        ),
    ]


def test_json_and_yaml_give_the_same_rows(tmp_path: Path) -> None:
    assert read(yaml.safe_load(CRM), tmp_path) == read(CRM, tmp_path)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ({"operationId": "listContacts"}, "crm.contacts.list"),
        ({"operationId": "contacts_list"}, "crm.contacts.list"),
        ({"operationId": "contacts"}, "crm.contacts.contacts"),
        ({"operationId": "getHTTPStatus"}, "crm.contacts.get_http_status"),
        ({"operationId": "get-v2-item"}, "crm.contacts.get_v2_item"),
        ({"tags": ["Sales Leads", "X"], "operationId": "addSalesLeads"}, "crm.sales_leads.add"),
        ({"tags": [], "operationId": "x"}, "crm.contacts.x"),
        ({}, "crm.contacts.get_v1"),
    ],
)  # fmt: skip
def test_name_is_tag_and_operation(operation: object, name: str, tmp_path: Path) -> None:
    assert names(with_paths({"/v1/contacts": {"get": operation}}), tmp_path) == [name]


def test_root_has_a_name(tmp_path: Path) -> None:
    assert names(with_paths({"/": {"get": {}}}), tmp_path) == ["crm.root.get"]


def test_head_is_a_row_only_where_get_is_none(tmp_path: Path) -> None:
    both = with_paths({"/a": {"get": {"operationId": "g"}, "head": {"operationId": "h"}}})
    assert names(both, tmp_path) == ["crm.a.g"]


def test_segment_with_more_than_a_parameter_is_covered_whole(tmp_path: Path) -> None:
    paths = {"/r/{id}.pdf": {"get": {}}, "/c/{base}...{head}": {"get": {}}, "/{a.b}": {"get": {}}}
    rows = read(with_paths(paths), tmp_path)
    assert [row.path for row in rows] == ["/r/{id}", "/c/{base_head}", "/{a_b}"]


@pytest.mark.parametrize(
    ("servers", "prefix", "start"),
    [
        ([], "", ""),
        ([{"url": "/"}], "", ""),
        ([{"url": "/v2"}], "", "/v2"),
        ([{"url": "https://{region}.crm.example/v2/"}], "", "/v2"),
        ([{"url": "https://a.example"}], "/api", ""),
        ([{"url": "https://a.example/api"}], "/api", ""),
        ([{"url": "https://a.example/api/v2"}], "/api", "/v2"),
        ([{"url": "https://a.example/v2"}], "/crm/v2", ""),
    ],
)
def test_paths_start_where_the_server_says(
    servers: object, prefix: str, start: str, tmp_path: Path
) -> None:
    document = with_paths({"/a": {"get": {}}}, servers=servers)
    assert [row.path for row in read(document, tmp_path, prefix=prefix)] == [f"{start}/a"]


def test_every_server_has_its_rows(tmp_path: Path) -> None:
    servers = [{"url": "https://a.example/v2"}, {"url": "https://b.example/beta"}]
    rows = read(with_paths({"/a": {"get": {}}}, servers=servers), tmp_path)
    assert [(row.path, row.action) for row in rows] == [
        ("/beta/a", "crm.a.get"),
        ("/v2/a", "crm.a.get"),
    ]


def test_nearest_servers_hold(tmp_path: Path) -> None:
    own = {"servers": [{"url": "/own"}]}
    item = {"servers": [{"url": "/item"}], "get": own, "put": {}}
    paths = {"/a": item, "/b": {"get": {}}}
    rows = read(with_paths(paths, servers=[{"url": "/v2"}]), tmp_path)
    assert [row.path for row in rows] == ["/own/a", "/item/a", "/v2/b"]


def test_swagger_has_a_base_path(tmp_path: Path) -> None:
    document = {"swagger": "2.0", "basePath": "/v1", "paths": {"/a": {"get": {}}}}
    assert [row.path for row in read(document, tmp_path)] == ["/v1/a"]


def test_reference_within_the_document_is_followed(tmp_path: Path) -> None:
    document = with_paths(
        {"/a": {"$ref": "#/components/pathItems/x~1y"}},
        components={"pathItems": {"x/y": {"get": {"operationId": "z"}}}},
    )
    assert names(document, tmp_path) == ["crm.a.z"]


GET = {"get": {}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], "#: it is not a mapping"),
        ({"openapi": "3.2.0", "paths": {}}, "#: it is neither OpenAPI 3.0 or 3.1 nor Swagger 2.0"),
        ({"openapi": "3.1.0"}, "#: there are no `paths`"),
        (with_paths({}), "#/paths: it names no operation"),
        (with_paths([]), "#/paths: it is not a mapping"),
        (with_paths({"/a": {"get": 1}}), "#/paths/~1a/get: it is not a mapping"),
        (with_paths({"/a": GET}, servers=[{}]), "#/servers/0: there is no `url`"),
        (
            with_paths({"/a": GET}, servers=[{"url": "/{v}"}]),
            "#/servers/0/url: it is no absolute URL with a plain path: write out what is variable",
        ),
        (
            with_paths({"/a": {"$ref": "b.json#/a"}}),
            "#/paths/~1a/$ref: it leads to another document: put what it names into this one",
        ),
        (
            with_paths({"/a": {"$ref": "https://x.example/b.json"}}),
            "#/paths/~1a/$ref: it leads to another document: put what it names into this one",
        ),
        (
            with_paths({"/a": {"$ref": "#/nothing"}}),
            "#/paths/~1a/$ref: there is nothing in that place",
        ),
        (
            with_paths({"/a": {"$ref": "#/paths/~1a"}}),
            "#/paths/~1a/$ref: it leads to another reference",
        ),
        (
            with_paths({"/a": {"$ref": "#/paths/~1b", "get": {}}, "/b": GET}),
            "#/paths/~1a: operations beside `$ref` can be read in two ways",
        ),
        (
            with_paths({"/a": {"get": {"operationId": "x"}, "put": {"operationId": "X"}}}),
            ("#/paths/~1a/put: it is called `crm.a.x`, as is the operation at #/paths/~1a/get:"
            " name one with `x-tameflare: {action: …}`"),
        ),
        (
            with_paths({"/a/{b}": {"get": {"operationId": "x"}}, "/a/{c}.pdf": GET}),
            ("#/paths/~1a~1{c}.pdf/get: `crm.a.get_c_pdf` cannot be told apart from `crm.a.x`"
            " (#/paths/~1a~1{b}/get): leave one out, or give both the same `x-tameflare`"),
        ),
        (
            with_paths({"/a": {"get": {"tags": ["Unmapped"]}}}),
            ("#/paths/~1a/get: `crm.unmapped.get_a` is what an unknown operation is called:"
            " name it with `x-tameflare: {action: …}`"),
        ),
        (
            with_paths({"/a": {"get": {"operationId": "日本"}}}),
            ("#/paths/~1a/get: `crm.a.` is not an action name like `github.pr.merge`:"
            " name it with `x-tameflare`"),
        ),
        (
            with_paths({"/a": {"get": {"x-tameflare": {"action": "Crm"}}}}),
            ("#/paths/~1a/get/x-tameflare/action: `Crm` is not an action name like"
            " `github.pr.merge`"),
        ),
        (
            with_paths({"/a": {"get": {"x-tameflare": {"access": "rw"}}}}),
            "#/paths/~1a/get/x-tameflare/access: it is none of read, write",
        ),
        (
            with_paths({"/a": {"get": {"x-tameflare": {"risky": True}}}}),
            ("#/paths/~1a/get/x-tameflare/risky: unknown key; there are: action, access, risk,"
            " categories"),
        ),
        (
            with_paths({"a": GET}),
            "#/paths/a/get: `a` is not a path template: path does not start with `/`",
        ),
    ],
)  # fmt: skip
def test_mistake_is_named_with_its_pointer(document: Any, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"^api\.json: ") as refused:
        read_openapi(path, provider="crm", prefix="", defaults=DEFAULTS)
    assert str(refused.value) == f"api.json: {expected}"


def test_document_beside_the_base_url_is_refused(tmp_path: Path) -> None:
    document = with_paths({"/a": GET}, servers=[{"url": "https://a.example/v2"}])
    assert problem(document, tmp_path, prefix="/api") == (
        "#/servers/0/url: the document's paths start at `/v2`, which is not below the path `/api`"
        " of the connector's `base_url`: correct one of them"
    )


def test_two_operations_share_a_name_where_both_say_so(tmp_path: Path) -> None:
    same = {"x-tameflare": {"action": "crm.note.read"}}
    paths = {"/a/{id}": {"get": same}, "/a/{id}.txt": {"get": same}, "/b": {"get": same}}
    rows = read(with_paths(paths), tmp_path)
    assert [row.path for row in rows] == ["/a/{id}", "/b"]


def test_shared_name_with_two_meanings_on_one_path_is_refused(tmp_path: Path) -> None:
    def named(risk: str) -> dict[str, Any]:
        return {"get": {"x-tameflare": {"action": "crm.note.read", "risk": risk}}}

    paths = {"/a/{id}": named("low"), "/a/{id}.txt": named("high")}
    assert "cannot be told apart" in problem(with_paths(paths), tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x", "aliases are not supported"),
        ("a: !!python/name:os.system 1", "tags are not supported"),
        ("a: 1\na: 2", "given twice"),
        ("~: 1", "a key that is no text to YAML"),
    ],
)
def test_unsafe_yaml_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(text)
    with pytest.raises(ValueError, match=expected):
        read_openapi(tmp_path / "api.yaml", provider="crm", prefix="", defaults=DEFAULTS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": 1, "a": 2}', "not valid JSON: the key `a` is given twice"),
        (b"{", "not valid JSON: "),
        (b"[" * 100_000, "not valid JSON: it nests too deeply"),
        (b"\xff", "it is not UTF-8"),
    ],
)
def test_damaged_json_is_refused(data: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "api.json").write_bytes(data)
    with pytest.raises(ValueError, match=expected):
        read_openapi(tmp_path / "api.json", provider="crm", prefix="", defaults=DEFAULTS)


@pytest.mark.parametrize("name", ["api.json", "api.yaml"])
def test_size_is_bounded(name: str, tmp_path: Path) -> None:
    limit = openapi.MAX_JSON if name == "api.json" else openapi.MAX_YAML
    (tmp_path / name).write_bytes(b" " * (limit + 1))
    with pytest.raises(ValueError, match=f"it is larger than {limit} bytes"):
        read_openapi(tmp_path / name, provider="crm", prefix="", defaults=DEFAULTS)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^no\.yaml: cannot be read: No such file"):
        read_openapi(tmp_path / "no.yaml", provider="crm", prefix="", defaults=DEFAULTS)


SCRAP = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["/a", "/{x}", "get", "head", "post", "$ref", "servers", "url", "tags",
                 "operationId", "x-tameflare", "action", "0"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(paths=SCRAP, servers=SCRAP)
def test_any_document_is_read_or_refused(
    paths: object, servers: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "scrap.json"
    path.write_text(json.dumps(with_paths(paths, servers=servers)))
    try:
        rows = read_openapi(path, provider="crm", prefix="", defaults=DEFAULTS)
    except ValueError as error:
        assert str(error).startswith("scrap.json: ")  # noqa: PT017  # either outcome is right
    else:
        assert rows
