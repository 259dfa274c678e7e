"""From the parts of a document to a gateway: everything that they refer to has to be there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tameflare_core.action import Category, action_name
from tameflare_core.config.parts import ConnectorPart, GatewayPart, PermissionPart
from tameflare_core.config.policies import PolicyReader
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl, OriginIndex
from tameflare_core.errors import ConfigError
from tameflare_core.gateway import BoundConnector, Gateway
from tameflare_core.host_categories import HostCategories
from tameflare_core.parsers.route_table import Route, path_template
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission
from tameflare_core.plugins import Plugins
from tameflare_core.vault.references import CredentialReference
from tameflare_core.yaml_source import Place, YamlSource

__all__ = ["Binding"]


class Binding:
    """One pass over a document that collects every problem instead of stopping at the first.

    Args:
        document: what the text says.
        source: the text, for the lines of problems.
        folder: where relative file names in it start.
        revision: which text it is.
        plugins: connector types, credential sources and host classifiers.
        elsewhere: whether the files that it names are on another machine.
    """

    def __init__(
        self,
        document: GatewayPart,
        source: YamlSource,
        *,
        folder: Path,
        revision: str,
        plugins: Plugins,
        elsewhere: bool = False,
    ) -> None:
        self._document = document
        self._source = source
        self._folder = folder
        self._revision = revision
        self._plugins = plugins
        self._elsewhere = elsewhere
        self._problems: list[str] = []

    def gateway(self) -> Gateway:
        """The gateway that the document describes.

        Raises:
            ConfigError: something in it is wrong; all problems are listed.
        """
        document = self._document
        connectors = tuple(self._connectors())
        permissions = tuple(self._permissions({bound.id: bound for bound in connectors}))
        policies = PolicyReader(document, connectors, self._plugins, self._problem).rules()
        host_categories = HostCategories(self._plugins.host_classifiers)
        self._check_categories(host_categories)
        if self._problems:
            raise ConfigError(*self._problems)
        return Gateway(
            name=document.gateway,
            environment=document.environment,
            enforcement=document.enforcement,
            connectors=connectors,
            permissions=permissions,
            policies=policies,
            blocked_categories={
                category: f"blocked_categories[{index}]"
                for index, category in enumerate(document.blocked_categories)
            },
            host_categories=host_categories,
            approval_timeout=document.approval.timeout,
            folder=self._folder,
            revision=self._revision,
        )

    @contextmanager
    def _at(self, *place: str | int) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            self._problem(place, str(error))

    def _problem(self, place: Place, message: str) -> None:
        self._problems.append(self._source.problem(place, message))

    def _check_categories(self, hosts: HostCategories) -> None:
        known = sorted({category.value for category in Category} | hosts.known)
        for index, name in enumerate(self._document.blocked_categories):
            place = ("blocked_categories", index)
            if name not in known:
                listed = ", ".join(f"`{each}`" for each in known)
                self._problem(place, f"no category `{name}`; there are: {listed}")

    def _connectors(self) -> Iterator[BoundConnector]:
        bound: list[BoundConnector] = []
        for index, part in enumerate(self._document.connectors):
            place = ("connectors", index)
            name = part.id or part.type
            if any(name == other.id for other in bound):
                self._problem(place, f"two connectors are called `{name}`: give one an `id`")
                continue
            with self._at(*place):
                one = self._bound(part, name, place)
                if one is None:
                    continue
                OriginIndex([*bound, one])
                bound.append(one)
        yield from bound

    def _bound(self, part: ConnectorPart, name: str, place: Place) -> BoundConnector | None:
        kind = self._plugins.connectors.get(part.type)
        if kind is None:
            known = ", ".join(sorted(self._plugins.connectors))
            self._problem((*place, "type"), f"no connector type `{part.type}`; there are: {known}")
            return None
        for key in sorted(set(part.options) - kind.options):
            self._problem((*place, key), f"unknown key for a connector of type `{part.type}`")
        for key in () if kind.takes_credential else ("credential", "auth"):
            if getattr(part, key) is not None:
                self._problem((*place, key), f"a connector of type `{part.type}` takes none")
        connector = self._built(kind, part, name, place)
        if connector is None:
            return None
        credential = None
        with self._at(*place, "credential"):
            credential = self._credential(part, connector)
        ca_file = None if part.ca_file is None else self._folder / part.ca_file
        if ca_file is not None and not self._elsewhere and not ca_file.is_file():
            self._problem((*place, "ca_file"), f"no file `{ca_file}`")
        return BoundConnector(
            connector=connector,
            credential=credential,
            placement=part.auth.placement() if part.auth else kind.placement,
            allow_private_network=part.allow_private_network,
            ca_file=ca_file,
        )

    def _built(
        self, kind: type[Connector], part: ConnectorPart, name: str, place: Place
    ) -> Connector | None:
        base_url = None
        if part.base_url is not None:
            with self._at(*place, "base_url"):
                base_url = BaseUrl.parse(part.base_url)
            if base_url is None:
                return None
        routes: list[Route] = []
        for index, named in enumerate(part.actions):
            path = action = None
            with self._at(*place, "actions", index, "path"):
                path = path_template(named.path)
            with self._at(*place, "actions", index, "action"):
                action = action_name(named.action)
            if path is not None and action is not None:
                routes.append(named.route(path, action))
        with self._at(*place):
            return kind(
                ConnectorSettings(
                    id=name,
                    base_url=base_url,
                    hosts=part.hosts,
                    actions=tuple(routes),
                    options=part.options,
                    folder=self._folder,
                )
            )
        return None

    def _credential(self, part: ConnectorPart, connector: Connector) -> CredentialReference | None:
        if part.credential is None:
            return None
        reference = CredentialReference.parse(part.credential)
        if reference.scheme not in self._plugins.credential_sources:
            known = ", ".join(f"{scheme}:" for scheme in sorted(self._plugins.credential_sources))
            # What stands before the colon may be the start of a secret.
            raise ValueError(f"no such credential source; there are: {known}")
        if any(origin.scheme != "https" for origin in connector.origins):
            raise ValueError(
                "a credential is never sent over plain http: use https, or leave it out"
            )
        return reference

    def _permissions(self, connectors: dict[str, BoundConnector]) -> Iterator[Permission]:
        for index, part in enumerate(self._document.permissions):
            place = ("permissions", index)
            bound = connectors.get(part.connector)
            if bound is None:
                # A connector that has problems of its own is not reported twice.
                if not any(part.connector in (c.id, c.type) for c in self._document.connectors):
                    self._problem((*place, "connector"), f"no connector `{part.connector}`")
                continue
            with self._at(*place, "action"):
                pattern = ActionPattern(part.action)
                bound.check_reachable(pattern)
                self._check_resource(part, bound.connector, place)
                yield Permission(
                    id=f"permissions[{index}]",
                    connector=part.connector,
                    action=pattern,
                    decision=part.decision,
                    access=part.access,
                    risk=part.risk,
                    category=part.category,
                    resource={
                        key: bound.connector.constraint(key, value)
                        for key, value in part.resource.items()
                    },
                )

    def _check_resource(self, part: PermissionPart, connector: Connector, place: Place) -> None:
        fields = connector.resource_fields
        if fields is None:
            return
        for key in sorted(set(part.resource) - fields):
            self._problem(
                (*place, "resource", key), "no action of this connector has this resource field"
            )
