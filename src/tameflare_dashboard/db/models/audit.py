"""The audit log: insert-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tameflare_dashboard.db.columns import Base

__all__ = ["AuditCheckpointRow", "AuditEventRow"]

_Seq = BigInteger().with_variant(Integer, "sqlite")


class AuditEventRow(Base):
    """One event of the hash chain; `before` and `after` are JSON texts, kept byte by byte."""

    __tablename__ = "audit_events"

    seq: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)
    time: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(80), index=True)
    actor_name: Mapped[str] = mapped_column(String(320))
    verb: Mapped[str] = mapped_column(String(80), index=True)
    object: Mapped[str] = mapped_column(String(300), index=True)
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditCheckpointRow(Base):
    """A signature over everything up to one event."""

    __tablename__ = "audit_checkpoints"

    seq: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    time: Mapped[datetime]
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[str] = mapped_column(String(120))
