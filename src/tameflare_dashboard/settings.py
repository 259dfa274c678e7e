"""What the operator of a control plane decides: where it keeps things and how it is reached."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tameflare_core.errors import ConfigError
from tameflare_core.folders import data_folder

__all__ = ["DATABASE_FILE", "Settings"]

DATABASE_FILE = "tameflare.db"
"""The embedded database in the user's data folder."""

_PUBLIC_URL = "http://127.0.0.1:8900"

_VARIABLES = {
    "TAMEFLARE_DATABASE_URL": "database_url",
    "TAMEFLARE_PUBLIC_URL": "public_url",
    "TAMEFLARE_CA_CERTIFICATE": "ca_certificate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one control-plane process.

    Attributes:
        database_url: `sqlite:///FILE` or `postgresql://…`.
        folder: where the vault key and the audit key are kept.
        public_url: how users and gateways reach it; links in messages start with it.
        ca_certificate: the gateway authority's certificate, for `GET /api/gateway/ca.pem`.
        allow_plain_hosts: hosts besides the public URL's that requests may name.

    Raises:
        ConfigError: a value cannot be used.
    """

    database_url: str
    folder: Path
    public_url: str = _PUBLIC_URL
    ca_certificate: Path | None = None
    allow_plain_hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})

    def __post_init__(self) -> None:
        if self.dialect not in {"sqlite", "postgresql"}:
            # The URL may hold a password, so it is not repeated.
            raise ConfigError(
                "the database URL starts with neither `sqlite:///` nor `postgresql://`"
            )
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"`{self.public_url}` is no URL that a browser could open")

    @classmethod
    def from_environment(
        cls, variables: Mapping[str, str] | None = None, *, folder: Path | None = None
    ) -> Self:
        """Settings from environment variables, with the embedded database unless one is named.

        Args:
            variables: the environment; that of the process unless given.
            folder: where keys and the embedded database are; the user's data folder unless given.

        Raises:
            ConfigError: a value cannot be used.
        """
        variables = os.environ if variables is None else variables
        folder = data_folder() if folder is None else folder
        given = {
            field: variables[name] for name, field in _VARIABLES.items() if variables.get(name)
        }
        certificate = given.get("ca_certificate")
        return cls(
            database_url=given.get("database_url", f"sqlite:///{folder / DATABASE_FILE}"),
            folder=folder,
            public_url=given.get("public_url", _PUBLIC_URL).rstrip("/"),
            ca_certificate=Path(certificate) if certificate else None,
        )

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.database_url.partition(":")[0]

    @property
    def secure(self) -> bool:
        """Whether users come over TLS, so that cookies may insist on it."""
        return self.public_url.startswith("https:")

    @property
    def hosts(self) -> frozenset[str]:
        """What a `Host` header may say, without its port."""
        host = urlsplit(self.public_url).hostname or ""
        return self.allow_plain_hosts | {f"[{host}]" if ":" in host else host}
