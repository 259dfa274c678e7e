"""`tameflare.yaml`: one gateway as a file, read strictly; every error names file, line and key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictBool, ValidationError

from tameflare_core.action import Access, Category, Risk, action_name
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl, OriginIndex
from tameflare_core.decision import Decision, EnforcementLevel
from tameflare_core.errors import ConfigError
from tameflare_core.gateway import BoundConnector, Gateway
from tameflare_core.injection.placement import Basic, Header, Placement, Query
from tameflare_core.parsers.route_table import Route, path_template
from tameflare_core.permission import ActionPattern, Permission
from tameflare_core.plugins import Plugins, load_plugins
from tameflare_core.vault.references import CredentialReference
from tameflare_core.yaml_source import Place, YamlSource

__all__ = ["GatewayConfig"]

_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _BearerAuth(_Part):
    type: Literal["bearer"]

    def placement(self) -> Placement:
        return Header()


class _TokenAuth(_Part):
    type: Literal["token"]

    def placement(self) -> Placement:
        return Header(prefix="token ")


class _HeaderAuth(_Part):
    type: Literal["header"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
    prefix: str = ""

    def placement(self) -> Placement:
        return Header(name=self.name.lower(), prefix=self.prefix)


class _BasicAuth(_Part):
    type: Literal["basic"]
    username: str | None = None

    def placement(self) -> Placement:
        return Basic(username=self.username)


class _QueryAuth(_Part):
    type: Literal["query"]
    name: Annotated[str, Field(min_length=1)]

    def placement(self) -> Placement:
        return Query(name=self.name)


class _NamedAction(_Part):
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: str
    action: str
    access: Access
    risk: Risk = Risk.MEDIUM
    categories: tuple[Category, ...] = ()

    def route(self, path: str, action: str) -> Route:
        return Route(
            method=self.method,
            path=path,
            action=action,
            access=self.access,
            risk=self.risk,
            categories=frozenset(self.categories),
        )


class _Connector(_Part):
    # A connector type may take keys of its own; they are checked against its `options`.
    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    id: Annotated[str | None, Field(pattern=_NAME)] = None
    base_url: str | None = None
    hosts: tuple[str, ...] = ()
    credential: str | None = None
    auth: Annotated[
        _BearerAuth | _TokenAuth | _HeaderAuth | _BasicAuth | _QueryAuth | None,
        Field(discriminator="type"),
    ] = None
    allow_private_network: StrictBool = False
    ca_file: str | None = None
    actions: tuple[_NamedAction, ...] = ()

    @property
    def options(self) -> dict[str, object]:
        return dict(self.model_extra or {})


class _Permission(_Part):
    connector: str
    action: str
    decision: Decision
    access: Access | None = None
    risk: Risk | None = None
    category: Category | None = None
    resource: dict[str, str] = Field(default_factory=dict)


class _Approval(_Part):
    timeout: Annotated[float, Field(strict=True, gt=0, le=86_400, allow_inf_nan=False)] = 300


class GatewayConfig(_Part):
    """One gateway as a document.

    Read it with `from_file` or `from_text`, then `bind` it to the installed plugins. The keys are
    those of `tameflare.yaml`; see `docs/reference/configuration.md`.
    """

    version: Literal[1]
    gateway: Annotated[str, Field(pattern=_NAME)]
    environment: str = ""
    enforcement: EnforcementLevel = EnforcementLevel.ENFORCE
    connectors: tuple[_Connector, ...] = ()
    permissions: tuple[_Permission, ...] = ()
    policies: Annotated[tuple[object, ...], Field(max_length=0)] = ()
    blocked_categories: tuple[Category, ...] = ()
    approval: _Approval = _Approval()

    _source: YamlSource = PrivateAttr()
    _folder: Path = PrivateAttr()
    _revision: str = PrivateAttr()

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a configuration file.

        Raises:
            ConfigError: it cannot be read, or something in it is wrong; all problems are listed.
        """
        path = Path(path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError(f"{path}: cannot be read: {why}") from None
        return cls.from_text(text, name=str(path), folder=path.resolve().parent)

    @classmethod
    def from_text(cls, text: str, *, name: str = "tameflare.yaml", folder: Path) -> Self:
        """Read a configuration from its text.

        Args:
            text: the YAML document.
            name: what to call it in messages.
            folder: where relative file names in it start.

        Raises:
            ConfigError: something in it is wrong; all problems are listed.
        """
        source = YamlSource.parse(text, name)
        if not isinstance(source.data, dict):
            raise ConfigError(f"{name}:1: not a gateway configuration: it starts with `version: 1`")
        try:
            config = cls.model_validate(source.data)
        except ValidationError as error:
            raise ConfigError(
                *(
                    source.problem(item["loc"], _worded(item["type"], item["msg"]))
                    for item in error.errors()
                )
            ) from None
        config._source = source
        config._folder = folder
        config._revision = hashlib.sha256(text.encode()).hexdigest()[:16]
        return config

    def bind(self, plugins: Plugins | None = None) -> Gateway:
        """Build the connectors and check that everything refers to something that is there.

        Args:
            plugins: connector types and credential sources; by default the built-in and installed
                ones.

        Raises:
            ConfigError: something in it is wrong; all problems are listed.
        """
        return _Binding(self, plugins or load_plugins()).gateway()


class _Binding:
    """One pass over a document that collects every problem instead of stopping at the first."""

    def __init__(self, config: GatewayConfig, plugins: Plugins) -> None:
        self._config = config
        self._plugins = plugins
        self._problems: list[str] = []

    def gateway(self) -> Gateway:
        config = self._config
        connectors = tuple(self._connectors())
        permissions = tuple(self._permissions({bound.id: bound for bound in connectors}))
        if self._problems:
            raise ConfigError(*self._problems)
        return Gateway(
            name=config.gateway,
            environment=config.environment,
            enforcement=config.enforcement,
            connectors=connectors,
            permissions=permissions,
            blocked_categories={
                category: f"blocked_categories[{index}]"
                for index, category in enumerate(config.blocked_categories)
            },
            approval_timeout=config.approval.timeout,
            folder=config._folder,
            revision=config._revision,
        )

    @contextmanager
    def _at(self, *place: str | int) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            self._problem(place, str(error))

    def _problem(self, place: Place, message: str) -> None:
        self._problems.append(self._config._source.problem(place, message))

    def _connectors(self) -> Iterator[BoundConnector]:
        bound: list[BoundConnector] = []
        for index, part in enumerate(self._config.connectors):
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

    def _bound(self, part: _Connector, name: str, place: Place) -> BoundConnector | None:
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
        ca_file = None if part.ca_file is None else self._config._folder / part.ca_file
        if ca_file is not None and not ca_file.is_file():
            self._problem((*place, "ca_file"), f"no file `{ca_file}`")
        return BoundConnector(
            connector=connector,
            credential=credential,
            placement=part.auth.placement() if part.auth else kind.placement,
            allow_private_network=part.allow_private_network,
            ca_file=ca_file,
        )

    def _built(
        self, kind: type[Connector], part: _Connector, name: str, place: Place
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
                    folder=self._config._folder,
                )
            )
        return None

    def _credential(self, part: _Connector, connector: Connector) -> CredentialReference | None:
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
        for index, part in enumerate(self._config.permissions):
            place = ("permissions", index)
            bound = connectors.get(part.connector)
            if bound is None:
                # A connector that has problems of its own is not reported twice.
                if not any(part.connector in (c.id, c.type) for c in self._config.connectors):
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

    def _check_resource(self, part: _Permission, connector: Connector, place: Place) -> None:
        fields = connector.resource_fields
        if fields is None:
            return
        for key in sorted(set(part.resource) - fields):
            self._problem(
                (*place, "resource", key), "no action of this connector has this resource field"
            )


_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "missing",
    "model_type": "input should be a mapping",
    "dict_type": "input should be a mapping",
    "tuple_type": "input should be a list",
    "too_long": "policies are not supported",
}


def _worded(kind: str, message: str) -> str:
    if kind == "union_tag_invalid":
        # Its own words repeat what stands there; they end with what may.
        return f"`type` is none of {message.rpartition(': ')[2]}"
    return _WORDS.get(kind, message[:1].lower() + message[1:])
