"""Approvals: what a gateway holds, and how that ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tameflare_dashboard.db.columns import Base

__all__ = ["ApprovalRow"]


class ApprovalRow(Base):
    """One approval; it leaves `pending` once, by an update that only a pending one matches."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index("ix_approvals_state_created", "state", "created"),
        Index("ix_approvals_state_instance", "state", "instance"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway_id: Mapped[str] = mapped_column(
        ForeignKey("gateways.id", ondelete="CASCADE"), index=True
    )
    instance: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    fingerprint: Mapped[str] = mapped_column(String(64))
    request: Mapped[dict[str, Any]]
    roles: Mapped[list[Any] | None]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    answered: Mapped[datetime | None]
    by: Mapped[str] = mapped_column(String(320), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    widened: Mapped[float | None] = mapped_column(Float)
