"""One gateway that the control plane describes."""

from __future__ import annotations

from pathlib import Path
from typing import override

import anyio

from tameflare_core.current_point import CurrentPoint
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import CredentialError
from tameflare_core.frontend import Credentials
from tameflare_core.gateway import Gateway
from tameflare_core.plugins import Plugins
from tameflare_core.sync.client import ServedConfig
from tameflare_core.sync.sealing import open_for_token
from tameflare_core.sync.switches import JoinedSwitches
from tameflare_core.vault.references import CredentialSource
from tameflare_core.vault.secret import Secret

__all__ = ["SyncedGateway"]

_VAULT = "vault"


class SyncedGateway:
    """A gateway with the configuration that is in force.

    Args:
        token: what was presented.
        digest: the token's.
        config: what the control plane says about it.
        plugins: credential sources.
        switches: what is stopped.
        local_credentials: whether its document may name credentials of this machine.

    Attributes:
        token, digest: as given.
        id: the gateway's, which two tokens share while they are rotated.
        from_cache: whether the control plane has not confirmed it since it was read from disk.
        contact: when the control plane last spoke about it, on the clock of its owner.
        turn: whose it is to change it.
        problem: why a newer configuration is not in force; empty when none is.
    """

    def __init__(
        self,
        token: Secret,
        digest: bytes,
        config: ServedConfig,
        plugins: Plugins,
        switches: JoinedSwitches,
        *,
        local_credentials: bool = False,
    ) -> None:
        self.token = token
        self.digest = digest
        self.id = config.gateway_id
        self.from_cache = False
        self.contact = 0.0
        self.problem = ""
        self._local_credentials = local_credentials
        self._config = config
        self._switches = switches
        self._sources = plugins.credential_sources
        self._point: CurrentPoint | None = None
        self.turn = anyio.Lock()

    @property
    def name(self) -> str:
        """The gateway's name."""
        return self._config.name

    @property
    def revision(self) -> str:
        """Of what is in force."""
        return self._config.revision

    def point(self) -> DecisionPoint:
        """The decision point to judge the next request by."""
        assert self._point is not None, "it was taken before it is asked"
        return self._point()

    def take(self, config: ServedConfig, gateway: Gateway, *, from_cache: bool, at: float) -> None:
        """Put a configuration into force.

        Args:
            config: what the control plane says.
            gateway: its document, bound.
            from_cache: whether it was read from disk.
            at: now.
        """
        # The sealed credentials go first: a rule that needs a new one never meets the old ones.
        self._config = config
        if self._point is None or self._point().gateway.revision != gateway.revision:
            self._point = CurrentPoint(gateway, self._switches)
        self.from_cache, self.contact, self.problem = from_cache, at, ""

    def credential(self, name: str) -> Secret:
        """A credential of the vault.

        Raises:
            CredentialError: the control plane did not send it.
        """
        sealed = self._config.credentials.get(name)
        if sealed is None:
            raise CredentialError(
                f"the vault of the control plane has no credential `{name}`: add it with"
                f" `tf credentials add {name}`"
            )
        version, text = sealed
        return open_for_token(
            self.token.reveal(), text, gateway=self.id, name=name, version=version
        )

    def credentials(self, folder: Path) -> Credentials:
        """Looks up what its document names.

        Args:
            folder: where relative names start.
        """
        sources = {
            scheme: source if self._local_credentials else _Refused(scheme)
            for scheme, source in self._sources.items()
        }
        return Credentials({**sources, _VAULT: _Vault(self)}, folder)


class _Vault(CredentialSource):
    """`vault:NAME`: what the control plane sent along."""

    scheme = _VAULT

    def __init__(self, gateway: SyncedGateway) -> None:
        self._gateway = gateway

    @override
    def resolve(self, name: str, folder: Path) -> Secret:
        return self._gateway.credential(name)


class _Refused(CredentialSource):
    """A source of this machine, which a document that others write may not name."""

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme

    @override
    def resolve(self, name: str, folder: Path) -> Secret:
        # Whoever may edit a gateway elsewhere could read this machine's files otherwise.
        raise CredentialError(
            f"`{self._scheme}:` names a credential of this machine, and the configuration comes"
            " from the control plane: put it into the vault with `tf credentials add`, or start the"
            " gateway with `--local-credentials`"
        )
