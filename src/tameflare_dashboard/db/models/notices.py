"""Messages about approvals that go out: to Slack, to a webhook, by e-mail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from tameflare_dashboard.db.columns import Base

__all__ = ["NoticeRow", "SeenSignatureRow"]


class NoticeRow(Base):
    """One message on one channel about one approval, and what has become of it.

    `sent_state` is the state of the approval that the message shows; while it differs from the
    approval's own, the message is to be sent or edited.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_due", "due"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    approval_id: Mapped[str] = mapped_column(
        ForeignKey("approvals.id", ondelete="CASCADE"), index=True
    )
    channel: Mapped[str] = mapped_column(String(16))
    due: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    sent_state: Mapped[str | None] = mapped_column(String(16))
    place: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(String(500))


class SeenSignatureRow(Base):
    """A signed call that came, so that it does not come twice."""

    __tablename__ = "seen_signatures"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
