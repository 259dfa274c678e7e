"""What is true of every catalogue: stable names, whole coverage, harm called by its name."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.catalogue import CatalogueConnector
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.route_table import Route
from tameflare_core.plugins import load_plugins
from tameflare_core.request import FORM_TYPE, Body, OutboundRequest

CONNECTORS: dict[str, CatalogueConnector] = {
    name: kind(ConnectorSettings(id=name))
    for name, kind in load_plugins(entry_points=False).connectors.items()
    if issubclass(kind, CatalogueConnector)
}
# As many as each provider publishes; GitHub's are those of REST and the mutations of GraphQL.
PUBLISHED = {"github": 1223 + 247, "openai": 288, "anthropic": 130, "stripe": 648, "slack": 347}
ROWS = [(name, row) for name, connector in CONNECTORS.items() for row in connector.catalogue()]
CATALOGUES = Path(str(files("tameflare_core.builtin"))) / "catalogs"
HTTP = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

# Reviewed one by one: a write that is low harms nobody, a DELETE that destroys nothing can be
# undone with one call. One line each, so that a new one is looked at.
MILD = Path(__file__).parent / "mild_operations.txt"


def shown(row: tuple[str, Route]) -> str:
    return f"{row[0]} {row[1].method} {row[1].path}"


def readings(name: str, row: Route) -> list[list[Action]]:
    """What the row's own request is read as, on each of the provider's hosts that knows it."""
    connector = CONNECTORS[name]
    path = re.sub(r"\{(.+?)\}", lambda found: f"1{found[1]}", row.path)
    found = []
    for origin in connector.origins:
        request = OutboundRequest.from_url(row.method, f"https://{origin.host}{path}")
        try:
            actions = list(connector.parse(request))
        except OpaqueBody:
            continue
        if not all(action.name.startswith(f"{name}.unmapped.") for action in actions):
            found.append(actions)
    return found


@pytest.mark.parametrize("name", CONNECTORS)
def test_no_name_changes_unnoticed(name: str) -> None:
    """Rules are written with these names: one that changes here breaks somebody's rule."""
    golden = (Path(__file__).parent / f"{name}_actions.txt").read_text("utf-8").splitlines()
    assert sorted(CONNECTORS[name].known_actions) == golden


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_operation_has_a_row(name: str) -> None:
    operations = {(row.method, row.path) for row in CONNECTORS[name].catalogue()}
    assert len(operations) >= PUBLISHED[name]


@pytest.mark.parametrize("name", CONNECTORS)
def test_names_have_the_documented_form(name: str) -> None:
    for action in CONNECTORS[name].known_actions:
        assert re.fullmatch(rf"{name}(\.[a-z][a-z0-9_]*){{2,3}}", action)


@pytest.mark.parametrize("name", CONNECTORS)
def test_rows_of_one_name_are_judged_alike(name: str) -> None:
    judged: dict[str, set[object]] = defaultdict(set)
    for row in CONNECTORS[name].catalogue():
        judged[row.action].add((row.access, row.risk, row.categories))
    assert {action: ways for action, ways in judged.items() if len(ways) > 1} == {}


@pytest.mark.parametrize("name", CONNECTORS)
def test_resource_names_are_those_of_parameters(name: str) -> None:
    connector = CONNECTORS[name]
    parameters = {key for row in connector.catalogue() for key in row.parameters}
    assert connector.resource_names.keys() <= parameters
    assert connector.slash_params <= parameters
    assert connector.tail_params <= parameters
    assert connector.body_actions <= connector.known_actions


@pytest.mark.parametrize(
    ("name", "row"), [(n, r) for n, r in ROWS if r.method in HTTP], ids=map(str, range(10_000))
)
def test_row_names_its_own_request(name: str, row: Route) -> None:
    for actions in readings(name, row):
        assert row.action in {action.name for action in actions} or all(
            action.name in CONNECTORS[name].further_actions for action in actions
        )
        assert all(action.resource.keys() <= CONNECTORS[name].resource_fields for action in actions)


# Where a connector tells everything that it can tell.
TELLING = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "slack": "/api/chat.postMessage",
    "stripe": "/v1/payment_intents",
}
# Fields that are not told of an ordinary text.
SAMPLES: dict[str, object] = {
    "currency": "eur",
    "mcp_servers": [{"url": "https://mcp.example"}],
    "tools": [{"type": "bash"}],
    "enabled_events": ["a"],
    **{name: {"account": "acct_1"} for name in ("from", "to", "transfer_data")},
    **{name: [{"price": "p"}] for name in ("items", "line_items", "lines")},
    **{name: [{"price": "p"}] for name in ("add_invoice_items", "invoice_items")},
}
FOREIGN = dict.fromkeys(("metadata", "password", "messages", "card", "unheard_of", "a-b"), "x")


def form(value: object, name: str = "") -> list[tuple[str, str]]:
    """The fields of a form, as Stripe's clients nest them."""
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict):
        keys = {key: f"{name}[{key}]" if name else key for key in value}
        return [field for key in value for field in form(value[key], keys[key])]
    return [(name, str(value))]


def everything(name: str, method: str, path: str, *, in_query: bool = False) -> OutboundRequest:
    """A request that says something for every param, and for others."""
    fields = CONNECTORS[name].param_fields or frozenset()
    given = {**FOREIGN, **{field: SAMPLES.get(field, "7") for field in fields}}
    url = f"https://{CONNECTORS[name].origins[0].host}{path}"
    if in_query:
        return OutboundRequest.from_url(method, f"{url}?{urlencode(form(given))}")
    as_json = name != "stripe" or path.startswith("/v2/")
    data = json.dumps(given) if as_json else urlencode(form(given))
    return OutboundRequest.from_url(
        method,
        url,
        headers=[("content-type", "application/json" if as_json else FORM_TYPE)],
        body=Body.complete(data.encode()),
    )


def test_connectors_with_a_catalogue_declare_their_params() -> None:
    declaring = {name for name, one in CONNECTORS.items() if one.param_fields is not None}
    assert declaring == set(TELLING)


@pytest.mark.parametrize("name", TELLING)
def test_declared_params_are_those_that_are_told(name: str) -> None:
    (action, *_) = CONNECTORS[name].parse(everything(name, "POST", TELLING[name]))
    assert action.params.keys() == CONNECTORS[name].param_fields


@pytest.mark.parametrize("name", TELLING)
def test_no_operation_tells_other_params_than_declared(name: str) -> None:
    connector = CONNECTORS[name]
    declared = connector.param_fields
    read = 0
    for row in connector.catalogue():
        path = re.sub(r"\{(.+?)\}", "7", row.path)
        for in_query in (False, True):
            try:
                actions = connector.parse(everything(name, row.method, path, in_query=in_query))
            except (OpaqueBody, RequestRejected):
                continue
            read += 1
            for action in actions:
                assert declared is not None
                assert action.params.keys() <= declared, action
                assert action.params or not action.params_complete, action
    assert read > len(connector.catalogue()) / 2


def test_mild_operations_were_reviewed() -> None:
    mild = [
        shown(row)
        for row in sorted(ROWS, key=shown)
        if (row[1].access is Access.WRITE and row[1].risk is Risk.LOW)
        or (row[1].method == "DELETE" and Category.DESTRUCTIVE not in row[1].categories)
    ]
    assert mild == MILD.read_text("utf-8").splitlines()


def test_no_read_destroys_and_no_critical_operation_is_a_read() -> None:
    for row in ROWS:
        if row[1].access is Access.READ:
            assert Category.DESTRUCTIVE not in row[1].categories, shown(row)
            assert row[1].risk is not Risk.CRITICAL, shown(row)


@pytest.mark.parametrize("name", CONNECTORS)
def test_row_is_written_once(name: str) -> None:
    """Of two rows of one shape, one would never be matched."""
    shapes = Counter(
        (row.method, re.sub(r"\{.+?\}", "{}", row.path), row.action)
        if row.method not in HTTP
        else (row.method, re.sub(r"\{.+?\}", "{}", row.path))
        for row in CONNECTORS[name].catalogue()
    )
    assert [shape for shape, count in shapes.items() if count > 1] == []


@pytest.mark.parametrize("file", sorted(CATALOGUES.glob("*.tsv")), ids=lambda file: file.stem)
def test_catalogue_is_in_order(file: Path) -> None:
    rows = [line.split("\t") for line in file.read_text("utf-8").splitlines()[1:]]
    assert rows == sorted(rows, key=lambda row: (row[1], row[0], row[2]))
