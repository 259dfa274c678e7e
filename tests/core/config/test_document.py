"""`tameflare.yaml`: what it builds, and that every mistake in it is named with its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.canonical import Ambiguity
from tameflare_core.config.document import GatewayConfig
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import Origin
from tameflare_core.decision import Decision
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.errors import ConfigError
from tameflare_core.gateway import Gateway
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Basic, Header, Query
from tameflare_core.plugins import load_plugins
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import gateway_from

TYPES = ", ".join(sorted(load_plugins(entry_points=False).connectors))
SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


def bound(text: str, folder: Path) -> Gateway:
    config = GatewayConfig.from_text(dedent(text), name="t.yaml", folder=folder)
    return config.bind(load_plugins(entry_points=False))


def problems_of(text: str, folder: Path = Path("/nowhere")) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        bound(text, folder)
    return list(refused.value.problems)


# What it builds


def test_smallest_gateway_denies_everything() -> None:
    gateway = gateway_from("{version: 1, gateway: g}")
    assert gateway.name == "g"
    assert gateway.enforcement is EnforcementLevel.ENFORCE
    assert (gateway.connectors, gateway.permissions) == ((), ())
    assert gateway.approval_timeout == 300


def test_every_key_has_its_effect(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    gateway = bound(
        """
        version: 1
        gateway: prod-agent
        environment: production
        enforcement: soft
        connectors:
          - type: github
            credential: env:GITHUB_TOKEN
          - type: github
            id: ghe
            base_url: https://github.example.com/api/v3
            allow_private_network: true
            ca_file: ca.pem
            auth: {type: token}
          - type: generic
            id: crm
            hosts: [api.crm.example, "*.crm.example"]
            encoded_slashes: true
            auth: {type: header, name: X-Api-Key, prefix: "Key "}
            actions:
              - method: DELETE
                path: /v2/contacts/{id}
                action: crm.contact.delete
                access: write
                risk: high
                categories: [destructive]
        permissions:
          - connector: crm
            action: crm.contact.*
            decision: require_approval
            access: write
            risk: high
            category: destructive
            resource: {id: "7*"}
        policies: []
        blocked_categories: [financial, secrets]
        approval: {timeout: 12.5}
        """,
        tmp_path,
    )
    github, ghe, crm = gateway.connectors
    assert (gateway.name, gateway.environment) == ("prod-agent", "production")
    assert gateway.enforcement is EnforcementLevel.SOFT
    assert gateway.approval_timeout == 12.5
    assert gateway.folder == tmp_path
    assert gateway.blocked_categories == {
        Category.FINANCIAL: "blocked_categories[0]",
        Category.SECRETS: "blocked_categories[1]",
    }
    assert str(github.credential) == "env:GITHUB_TOKEN"
    assert github.placement == Header()
    assert not github.allow_private_network
    assert (ghe.id, ghe.credential) == ("ghe", None)
    assert ghe.allow_private_network
    assert ghe.ca_file == tmp_path / "ca.pem"
    assert ghe.placement == Header(prefix="token ")
    assert crm.placement == Header(name="x-api-key", prefix="Key ")
    assert crm.connector.tolerates == {Ambiguity.TRAILING_SLASH, Ambiguity.ENCODED_SLASH}
    (permission,) = gateway.permissions
    assert permission.id == "permissions[0]"
    assert permission.decision is Decision.REQUIRE_APPROVAL
    assert permission.access is Access.WRITE
    assert permission.risk is Risk.HIGH
    assert permission.category is Category.DESTRUCTIVE
    assert permission.resource == {"id": "7*"}


@pytest.mark.parametrize(
    ("auth", "placement"),
    [
        ("{type: bearer}", Header()),
        ("{type: token}", Header(prefix="token ")),
        ("{type: header, name: X-Key}", Header(name="x-key", prefix="")),
        ("{type: basic}", Basic(username=None)),
        ("{type: basic, username: me}", Basic(username="me")),
        ("{type: query, name: key}", Query(name="key")),
    ],
)
def test_auth_says_where_the_credential_goes(auth: str, placement: object) -> None:
    gateway = gateway_from(f"""
        version: 1
        gateway: g
        connectors: [{{type: generic, hosts: [a.example], auth: {auth}}}]
    """)
    assert gateway.connectors[0].placement == placement


def test_constraint_on_a_case_insensitive_field_is_folded() -> None:
    gateway = gateway_from("""
        version: 1
        gateway: g
        connectors: [{type: github}]
        permissions:
          - connector: github
            action: github.*
            decision: deny
            resource: {repo: Prod, path: Ab}
    """)
    assert gateway.permissions[0].resource == {"repo": "prod", "path": "Ab"}


def test_revision_follows_the_text() -> None:
    texts = ["{version: 1, gateway: g}", "{version: 1, gateway: g} ", "{version: 1, gateway: h}"]
    assert len({gateway_from(text).revision for text in texts[::2]}) == 2
    assert gateway_from(texts[0]).revision == gateway_from(texts[0]).revision


def test_file_is_read_and_its_folder_kept(tmp_path: Path) -> None:
    file = tmp_path / "tameflare.yaml"
    file.write_text("{version: 1, gateway: g}", "utf-8")
    assert GatewayConfig.from_file(file).bind(load_plugins(entry_points=False)).folder == tmp_path


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        GatewayConfig.from_file(missing)
    odd = tmp_path / "odd.yaml"
    odd.write_bytes(b"version: \xff")
    with pytest.raises(ConfigError, match=r"odd\.yaml: cannot be read: it is not UTF-8"):
        GatewayConfig.from_file(odd)


# What is wrong with it

HEAD = "version: 1\ngateway: g\n"
GITHUB = HEAD + "connectors: [{type: github}]\n"
GENERIC = HEAD + "connectors: [{type: generic, hosts: [a.example]}]\n"


def with_connector(keys: str) -> str:
    return f"{HEAD}connectors:\n  - type: generic\n    hosts: [a.example]\n    {keys}\n"


def with_permission(keys: str) -> str:
    return f"{GITHUB}permissions:\n  - connector: github\n    {keys}\n"


BROKEN = yaml.safe_load((Path(__file__).parent / "broken_configs.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", BROKEN, ids=[case["problem"] for case in BROKEN])
def test_mistake_is_named_with_file_line_and_key(case: dict[str, str]) -> None:
    assert problems_of(case["document"]) == [case["problem"].replace("{types}", TYPES)]


def test_problems_are_reported_together() -> None:
    assert problems_of("""\
        version: 1
        gateway: g
        connectors:
          - type: nothing
          - {type: github, ca_file: none.pem}
        permissions:
          - {connector: nothing, action: "x.*", decision: deny}
          - {connector: other, action: "x.*", decision: deny}
          - {connector: github, action: github.pr.merg, decision: deny}
    """) == [
        f"t.yaml:4: connectors[0].type: no connector type `nothing`; there are: {TYPES}",
        "t.yaml:5: connectors[1].ca_file: no file `/nowhere/none.pem`",
        "t.yaml:8: permissions[1].connector: no connector `other`",
        "t.yaml:9: permissions[2].action: `github.pr.merg` matches no action of this connector",
    ]


def test_problems_of_form_are_reported_together() -> None:
    assert problems_of("version: 3\nenforcement: hard\nmore: 1") == [
        "t.yaml:1: version: input should be 1",
        "t.yaml:1: gateway: missing",
        "t.yaml:2: enforcement: input should be 'enforce', 'soft' or 'monitor'",
        "t.yaml:3: more: unknown key",
    ]


# Every place where a secret may be pasted by mistake.
MISPLACED = [
    f"version: {SECRET}\ngateway: g",
    f"version: 1\ngateway: {SECRET}",
    HEAD + f"environment: [{SECRET}]",
    HEAD + f"enforcement: {SECRET}",
    HEAD + f"{SECRET}: 1",
    HEAD + f"{SECRET}",
    HEAD + f"connectors: {SECRET}",
    HEAD + f"connectors:\n  - {SECRET}",
    HEAD + f"connectors:\n  - type: {SECRET}",
    # Without a space this is one more line of the type's text.
    HEAD + f"connectors:\n  - type: github\n    credential:{SECRET}",
    HEAD + f"connectors:\n  - type: github\n    credential: {SECRET}",
    HEAD + f"connectors:\n  - type: github\n    credential: {SECRET}:x",
    HEAD + "connectors:\n  - type: github\n    credential: hunter2hunter2:x",
    HEAD + f"connectors:\n  - type: github\n    {SECRET}: x",
    with_connector(f"id: {SECRET}"),
    with_connector(f"auth: {SECRET}"),
    with_connector(f"auth: {{type: {SECRET}}}"),
    with_connector("auth: {type: hunter2}"),
    with_connector(f"auth: {{type: header, name: '{SECRET} '}}"),
    with_connector(f"ca_file: {SECRET}"),
    with_connector(f"base_url: {SECRET}"),
    with_connector(f"base_url: https://{SECRET}@a.example"),
    with_connector(f"base_url: https://a.example:{SECRET}"),
    with_connector(f"allow_private_network: {SECRET}"),
    with_connector(f"actions: [{{method: GET, path: {SECRET}, action: a.b, access: read}}]"),
    with_connector(f"actions: [{{method: GET, path: /x, action: {SECRET}, access: read}}]"),
    HEAD + f"connectors: [{{type: generic, hosts: ['{SECRET} ']}}]",
    with_permission(f"action: {SECRET}\n    decision: deny"),
    with_permission(f"action: github.{SECRET.lower()}\n    decision: deny"),
    with_permission(f"action: github.*\n    decision: {SECRET}"),
    GITHUB + f"permissions: [{{connector: {SECRET}, action: 'github.*', decision: deny}}]",
    HEAD + f"blocked_categories: [{SECRET}]",
    HEAD + f"approval: {{timeout: {SECRET}}}",
    HEAD + f"a: *{SECRET}",
    HEAD + f"a: @{SECRET}",
]


@pytest.mark.parametrize("text", MISPLACED)
def test_pasted_secret_is_never_repeated(text: str) -> None:
    for problem in problems_of(text):
        assert SECRET[4:].lower() not in problem.lower()
        assert "hunter2" not in problem


# Connectors of plugins


class Odd(Connector):
    """A connector with an option, of which names and fields are open."""

    type = "odd"
    provider = "odd"
    placement = Header()
    options = frozenset({"colour"})

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        if settings.options.get("colour") == "grey":
            raise ValueError("grey is no colour")
        self.origins = (Origin("https", "odd.example", 443),)

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        return (Action(name="odd.thing.do", access=Access.WRITE, risk=Risk.LOW),)


class OddPlugin:
    """A plugin that registers it."""

    @staticmethod
    @hookimpl
    def register_connectors() -> list[type[Connector]]:
        return [Odd]


def odd(keys: str, permission: str) -> Gateway:
    text = f"{HEAD}connectors: [{{type: odd{keys}}}]\npermissions: [{permission}]"
    return gateway_from(text, extra=[OddPlugin])


def test_open_names_and_fields_are_taken_as_they_are() -> None:
    gateway = odd(
        ", colour: red",
        "{connector: odd, action: odd.other.do, decision: deny, resource: {anything: x}}",
    )
    assert gateway.connectors[0].connector.settings.options == {"colour": "red"}
    assert gateway.permissions[0].action.text == "odd.other.do"


def test_settings_that_a_connector_refuses_are_a_problem() -> None:
    with pytest.raises(ConfigError, match=r"tameflare.yaml:3: connectors\[0\]: grey is no colour"):
        odd(", colour: grey", "")
