"""Gateways with their tokens, the credentials of the vault, and what applies to all gateways."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tameflare_dashboard.db.columns import Base

__all__ = [
    "CredentialRow",
    "GatewayRow",
    "GatewayTokenRow",
    "InstanceRow",
    "KillSwitchRow",
    "OrgPolicyRow",
    "StreamRow",
]


class GatewayRow(Base):
    """A gateway; `document` is the text of its `tameflare.yaml`, which is all of its rules."""

    __tablename__ = "gateways"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    environment: Mapped[str] = mapped_column(String(200))
    document: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    created: Mapped[datetime]
    updated: Mapped[datetime]
    seen: Mapped[datetime | None]
    fetched_revision: Mapped[str | None] = mapped_column(String(64))


class GatewayTokenRow(Base):
    """A token of a gateway; during a rotation there are two."""

    __tablename__ = "gateway_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    gateway_id: Mapped[str] = mapped_column(
        ForeignKey("gateways.id", ondelete="CASCADE"), index=True
    )
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created: Mapped[datetime]
    expires: Mapped[datetime | None]


class OrgPolicyRow(Base):
    """A policy for every gateway that its scope names; `document` is its YAML."""

    __tablename__ = "org_policies"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    document: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    updated: Mapped[datetime]


class CredentialRow(Base):
    """A credential of the vault, sealed; see `tameflare_core.vault.envelope`."""

    __tablename__ = "credentials"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int]
    key_id: Mapped[str] = mapped_column(String(16))
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime]
    updated: Mapped[datetime]


class KillSwitchRow(Base):
    """A kill switch, active until it is ended."""

    __tablename__ = "kill_switches"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    scope: Mapped[str] = mapped_column(String(300))
    reason: Mapped[str] = mapped_column(String(500))
    by: Mapped[str] = mapped_column(String(320))
    at: Mapped[datetime]
    ended: Mapped[datetime | None] = mapped_column(index=True)
    ended_by: Mapped[str | None] = mapped_column(String(320))


class InstanceRow(Base):
    """A proxy process, as long as it was heard of lately."""

    __tablename__ = "instances"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    proxy: Mapped[str] = mapped_column(String(32), index=True)
    seen: Mapped[datetime]


class StreamRow(Base):
    """An open event stream of a proxy process, held by one process of the control plane."""

    __tablename__ = "streams"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    instance: Mapped[str] = mapped_column(String(32))
    seen: Mapped[datetime]
