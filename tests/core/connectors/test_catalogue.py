"""Connectors made of a catalogue: one small class and a TSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from tameflare_core.action import Access, Action, Risk
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.catalogue import CatalogueConnector, folded_path
from tameflare_core.connectors.matching import BaseUrl, Origin
from tameflare_core.errors import RequestRejected
from tameflare_core.injection.placement import Header
from tameflare_core.request import Body, OutboundRequest

CATALOGUE = """\
method\tpath\taction\taccess\trisk\tcategories
GET\t/v1/deals\tcrm.deal.list\tread\tlow\t
GET\t/v1/deals/search\tcrm.deal.search\tread\tlow\t
DELETE\t/v1/deals/{deal}\tcrm.deal.delete\twrite\thigh\tdestructive
GET\t/v1/deals/{deal}\tcrm.deal.get\tread\tlow\t
PUT\t/v1/files/{path}\tcrm.file.put\twrite\tmedium\t
"""


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> type[CatalogueConnector]:
    file = tmp_path_factory.mktemp("catalogue") / "crm.tsv"
    file.write_text(CATALOGUE, "utf-8")

    class Crm(CatalogueConnector):
        type = "crm"
        provider = "crm"
        placement = Header()
        catalogue_file: Path = file
        home = ("api.crm.example", "files.crm.example")
        tail_params = frozenset({"path"})
        slash_params = frozenset({"path"})
        resource_names: ClassVar[Mapping[str, str]] = {"deal": "deal_id"}
        case_insensitive = frozenset({"deal"})
        body_actions = frozenset({"crm.file.put"})
        further_actions = frozenset({"crm.file.empty"})
        further_fields = frozenset({"size"})

        def refine(self, action: Action, request: OutboundRequest) -> Sequence[Action]:
            return (action, action) if action.name == "crm.file.put" else (action,)

    return Crm


def at(kind: type[CatalogueConnector], base_url: str | None = None) -> CatalogueConnector:
    base = None if base_url is None else BaseUrl.parse(base_url)
    return kind(ConnectorSettings(id="crm", base_url=base))


def only(kind: type[CatalogueConnector], method: str, path: str) -> Action:
    (action,) = at(kind).parse(OutboundRequest.from_url(method, f"https://api.crm.example{path}"))
    return action


def test_row_names_the_request(kind: type[CatalogueConnector]) -> None:
    action = only(kind, "DELETE", "/v1/deals/A7")
    assert (action.name, action.access, action.risk) == (
        "crm.deal.delete",
        Access.WRITE,
        Risk.HIGH,
    )
    assert action.resource == {"deal_id": "a7"}


def test_head_is_named_like_get(kind: type[CatalogueConnector]) -> None:
    assert only(kind, "HEAD", "/v1/deals").name == "crm.deal.list"


def test_slash_at_the_end_changes_no_name(kind: type[CatalogueConnector]) -> None:
    assert only(kind, "DELETE", "/v1/deals/7/").name == "crm.deal.delete"


def test_literal_beats_a_parameter(kind: type[CatalogueConnector]) -> None:
    assert only(kind, "GET", "/v1/deals/search").name == "crm.deal.search"


def test_path_without_a_row_is_unmapped_and_high(kind: type[CatalogueConnector]) -> None:
    action = only(kind, "POST", "/v1/secrets")
    assert (action.name, action.access, action.risk) == (
        "crm.unmapped.post",
        Access.WRITE,
        Risk.HIGH,
    )
    assert not action.resource_complete


@pytest.mark.parametrize("path", ["/V1/deals/7", "/v1/Deals/7", "/v1/deals%20/7", "/v1/deals;/7"])
def test_decorated_spelling_of_an_operation_is_refused(
    kind: type[CatalogueConnector], path: str
) -> None:
    with pytest.raises(RequestRejected, match="case or decoration"):
        only(kind, "DELETE", path)


@pytest.mark.parametrize("path", ["/v1/deals/Search", "/v1/deals/search.json"])
def test_value_that_folds_to_a_literal_is_refused(
    kind: type[CatalogueConnector], path: str
) -> None:
    with pytest.raises(RequestRejected, match="case or decoration"):
        only(kind, "GET", path)


def test_format_at_the_end_of_a_value_is_part_of_it(kind: type[CatalogueConnector]) -> None:
    assert only(kind, "GET", "/v1/deals/7.json").resource == {"deal_id": "7.json"}


def test_encoded_slash_is_for_the_parameters_that_may_hold_one(
    kind: type[CatalogueConnector],
) -> None:
    base = "https://api.crm.example"
    connector = at(kind)
    request = OutboundRequest.from_url("PUT", f"{base}/v1/files/a%2Fb/c")
    assert connector.parse(request)[0].resource == {"path": "a/b/c"}
    for method, path in [("GET", "/v1/deals/a%2Fb"), ("GET", "/v1/x%2Fy")]:
        with pytest.raises(RequestRejected, match="encoded slash"):
            connector.parse(OutboundRequest.from_url(method, base + path))


def test_letters_outside_ascii_are_not_folded(kind: type[CatalogueConnector]) -> None:
    with pytest.raises(RequestRejected, match="outside ASCII"):
        only(kind, "GET", "/v1/deals/%C3%84")


def test_refinement_may_add_actions(kind: type[CatalogueConnector]) -> None:
    connector = at(kind)
    request = OutboundRequest.from_url("PUT", "https://api.crm.example/v1/files/x")
    assert connector.needs_body(request)
    assert len(connector.parse(request)) == 2


def test_body_is_read_for_named_rows_only(kind: type[CatalogueConnector]) -> None:
    request = OutboundRequest.from_url("GET", "https://api.crm.example/v1/deals")
    assert not at(kind).needs_body(request)


def test_lists_what_rules_may_name(kind: type[CatalogueConnector]) -> None:
    connector = at(kind)
    assert connector.known_actions == {
        "crm.deal.delete",
        "crm.deal.get",
        "crm.deal.list",
        "crm.deal.search",
        "crm.file.empty",
        "crm.file.put",
    }
    assert connector.resource_fields == {"deal_id", "path", "size"}
    assert len(kind.catalogue()) == 5


def test_lives_at_home_unless_told_otherwise(kind: type[CatalogueConnector]) -> None:
    assert at(kind).origins == (
        Origin("https", "api.crm.example", 443),
        Origin("https", "files.crm.example", 443),
    )
    assert at(kind, "https://crm.internal:8443/api").origins == (
        Origin("https", "crm.internal", 8443),
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/deals", "crm.deal.list"),
        ("/API/v1/deals", "crm.deal.list"),
        ("/v1/deals", "crm.unmapped.get"),
        ("/apiv1/deals", "crm.unmapped.get"),
    ],
)
def test_base_url_says_where_the_catalogue_begins(
    kind: type[CatalogueConnector], path: str, name: str
) -> None:
    request = OutboundRequest.from_url("GET", f"https://crm.internal{path}")
    (action,) = at(kind, "https://crm.internal/api").parse(request)
    assert action.name == name


def test_settings_that_mean_nothing_here_are_refused(kind: type[CatalogueConnector]) -> None:
    with pytest.raises(ValueError, match="`hosts` is not for crm"):
        kind(ConnectorSettings(id="crm", hosts=("a.example",)))


@pytest.mark.parametrize(
    ("path", "folded"),
    [
        ("/", "/"),
        ("/A/b/", "/a/b"),
        ("/a;x=1/b", "/a/b"),
        ("/a/b.JSON", "/a/b"),
        ("/a/b%23c", "/a/b"),
    ],
)
def test_folding_drops_what_lax_routers_drop(path: str, folded: str) -> None:
    assert folded_path(path) == folded


@pytest.mark.parametrize(
    ("query", "body", "complete"),
    [
        ("", Body.absent(), True),
        ("?", Body.absent(), True),
        ("?a=1", Body.absent(), False),
        ("", Body.unread(), False),
        ("", Body.complete(b"{}"), False),
    ],
)
def test_params_that_nobody_looked_at_are_said_to_be_missing(
    kind: type[CatalogueConnector], query: str, body: Body, complete: bool
) -> None:
    url = f"https://api.crm.example/v1/deals/7{query}"
    (action,) = at(kind).parse(OutboundRequest.from_url("DELETE", url, body=body))
    assert (action.params, action.params_complete) == ({}, complete)
