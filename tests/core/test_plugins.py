"""Plugins are registered, and one that breaks the contract of its hook is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.connectors.base import Connector
from tameflare_core.errors import PluginError
from tameflare_core.hookspecs import hookimpl
from tameflare_core.host_categories import HostCategories, HostClassifier
from tameflare_core.injection.placement import Header
from tameflare_core.plugins import ENTRY_POINT_GROUP, Plugins, load_plugins
from tameflare_core.request import OutboundRequest
from tameflare_core.vault.references import CredentialSource
from tameflare_core.vault.secret import Secret


class Mine(Connector):
    type = "mine"
    provider = "mine"
    placement = Header()

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        return (Action(name="mine.thing.do", access=Access.WRITE, risk=Risk.LOW),)


class Other(Mine):
    pass


class Keychain(CredentialSource):
    scheme = "keychain"

    def resolve(self, name: str, folder: Path) -> Secret:
        return Secret(name)


class OtherKeychain(Keychain):
    pass


class Lairs(HostClassifier):
    categories = frozenset({"lair", "tunnel"})

    def classify(self, host: str) -> frozenset[str]:
        return frozenset({"lair"}) if host == "lair.example" else frozenset()


def registering(result: object) -> object:
    """A plugin whose hook for connectors returns `result`."""

    class Plugin:
        @hookimpl
        def register_connectors(self) -> object:
            return result

    return Plugin()


def resolving(result: object) -> object:
    """A plugin whose hook for credential sources returns `result`."""

    class Plugin:
        @hookimpl
        def register_credential_sources(self) -> object:
            return result

    return Plugin()


def classifying(result: object) -> object:
    """A plugin whose hook for host classifiers returns `result`."""

    class Plugin:
        @hookimpl
        def register_host_classifiers(self) -> object:
            return result

    return Plugin()


def load(*extra: object, builtin: bool = False) -> Plugins:
    return load_plugins(extra, entry_points=False, builtin=builtin)


def test_builtin_plugins_come_through_the_same_hooks() -> None:
    plugins = load(builtin=True)
    assert set(plugins.connectors) == {
        "anthropic",
        "generic",
        "github",
        "mcp",
        "openai",
        "slack",
        "stripe",
        "webhook",
    }
    assert {"env", "file"} <= set(plugins.credential_sources)
    assert "paste_site" in HostCategories(plugins.host_classifiers).known


def test_plugin_adds_to_what_there_is() -> None:
    plugins = load(registering([Mine]), resolving([Keychain()]), builtin=True)
    assert plugins.connectors["mine"] is Mine
    assert isinstance(plugins.credential_sources["keychain"], Keychain)
    assert "github" in plugins.connectors


def test_host_classifiers_are_added_up() -> None:
    categories = HostCategories(load(classifying([Lairs()]), builtin=True).host_classifiers)
    assert categories.of("lair.example") == {"lair"}
    assert categories.of("webhook.site") == {"request_catcher"}


def test_plugin_may_register_nothing() -> None:
    assert load(registering([]), registering(None), object()) == Plugins({}, {}, ())


@pytest.mark.parametrize("result", [[object()], ["mine"], [Mine.parse], [int], "mine", [None]])
def test_what_is_no_connector_is_refused(result: object) -> None:
    with pytest.raises(PluginError, match="which is no Connector"):
        load(registering(result))


@pytest.mark.parametrize("result", [[Keychain], ["env"], [None], "env"])
def test_what_is_no_credential_source_is_refused(result: object) -> None:
    with pytest.raises(PluginError, match="which is no CredentialSource"):
        load(resolving(result))


@pytest.mark.parametrize("result", [[Lairs], ["tunnel"], [None], "tunnel"])
def test_what_is_no_host_classifier_is_refused(result: object) -> None:
    with pytest.raises(PluginError, match="which is no HostClassifier"):
        load(classifying(result))


@pytest.mark.parametrize("result", [7, Mine])
@pytest.mark.parametrize("plugin", [registering, resolving, classifying])
def test_result_that_is_no_list_is_refused(
    plugin: Callable[[object], object], result: object
) -> None:
    with pytest.raises(PluginError, match="cannot be loaded"):
        load(plugin(result))


@pytest.mark.parametrize("attribute", ["type", "provider"])
@pytest.mark.parametrize("value", ["", "My Type", "a.b", "é", None, 3])
def test_connector_needs_a_plain_name(attribute: str, value: object) -> None:
    named = type("Named", (Mine,), {attribute: value})
    with pytest.raises(PluginError, match=rf"the connector `.*Named` has no `{attribute}`"):
        load(registering([named]))


def test_connector_needs_its_class_attributes() -> None:
    class Bare(Connector):
        def parse(self, request: OutboundRequest) -> Sequence[Action]:
            return ()

    with pytest.raises(PluginError, match="Bare` has no `type`"):
        load(registering([Bare]))
    with pytest.raises(PluginError, match="Half` has no `placement`"):
        load(registering([type("Half", (Bare,), {"type": "half", "provider": "half"})]))


def test_connector_that_cannot_parse_is_refused() -> None:
    class Abstract(Connector):
        type = "abstract"
        provider = "abstract"
        placement = Header()

    with pytest.raises(PluginError, match="Abstract` does not define parse"):
        load(registering([Abstract]))


@pytest.mark.parametrize("scheme", ["", "Key", "a-b", "a:b", None])
def test_credential_source_needs_a_plain_scheme(scheme: object) -> None:
    source = type("Named", (Keychain,), {"scheme": scheme})()
    with pytest.raises(PluginError, match="Named` has no `scheme`"):
        load(resolving([source]))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            registering([Mine]),
            registering([Other]),
            "two plugins register the connector type `mine`",
        ),
        (registering([Mine, Other]), object(), "two plugins register the connector type `mine`"),
        (
            resolving([Keychain()]),
            resolving([OtherKeychain()]),
            "two plugins register the credential scheme `keychain`",
        ),
    ],
)
def test_taken_name_is_refused(first: object, second: object, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        load(first, second)


def classifier(categories: object) -> HostClassifier:
    named: HostClassifier = type("Named", (Lairs,), {"categories": categories})()
    return named


@pytest.mark.parametrize("categories", [None, frozenset(), {"lair"}, ["lair"], "lair"])
def test_host_classifier_needs_its_categories(categories: object) -> None:
    with pytest.raises(PluginError, match="Named` has no `categories`"):
        load(classifying([classifier(categories)]))


@pytest.mark.parametrize("name", ["", "Lair", "a lair", "a.b", "a-b", "_a", "a__b", "1a", "é", 7])
def test_category_of_hosts_needs_a_plain_name(name: object) -> None:
    with pytest.raises(PluginError, match="which is no name like `paste_site`"):
        load(classifying([classifier(frozenset({name}))]))


@pytest.mark.parametrize("name", [category.value for category in Category])
def test_category_of_actions_is_none_of_hosts(name: str) -> None:
    with pytest.raises(PluginError, match=f"`{name}`, which is one of actions"):
        load(classifying([classifier(frozenset({name}))]))


def test_builtin_connector_cannot_be_replaced() -> None:
    impostor = type("Impostor", (Mine,), {"type": "github"})
    with pytest.raises(PluginError, match="connector type `github`"):
        load(registering([impostor]), builtin=True)


def test_unknown_hook_is_refused() -> None:
    class Plugin:
        @hookimpl
        def register_conectors(self) -> list[object]:
            return []

    with pytest.raises(PluginError, match="register_conectors"):
        load(Plugin())


def test_hook_with_an_unknown_argument_is_refused() -> None:
    class Plugin:
        @hookimpl
        def register_connectors(self, app: object) -> list[object]:
            return []

    with pytest.raises(PluginError, match="app"):
        load(Plugin())


def test_hook_that_raises_is_refused() -> None:
    class Plugin:
        @hookimpl
        def register_connectors(self) -> list[object]:
            raise ZeroDivisionError("no connectors today")

    with pytest.raises(PluginError, match="no connectors today") as refused:
        load(Plugin())
    assert isinstance(refused.value.__cause__, ZeroDivisionError)


def test_installed_plugin_that_fails_at_import_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('broken at import')\n")
    metadata = tmp_path / "broken_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nbroken = broken_plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="broken at import"):
        load_plugins()


def test_installed_plugins_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "found_plugin.py").write_text(
        "from tameflare_core.builtin.generic import Generic\n"
        "from tameflare_core.hookspecs import hookimpl\n"
        "class Found(Generic):\n"
        "    type = 'found'\n"
        "@hookimpl\n"
        "def register_connectors():\n"
        "    return [Found]\n"
    )
    metadata = tmp_path / "found_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: found-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nfound = found_plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "found" in load_plugins().connectors
    assert "found" not in load_plugins(entry_points=False).connectors
