"""Traffic records, and their counts by minute and by hour for charts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, Float, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from tameflare_dashboard.db.columns import Base

__all__ = ["TrafficHourRow", "TrafficMinuteRow", "TrafficRow"]


class TrafficRow(Base):
    """One judged request; `document` is the whole record.

    `day` is that of the id's own time, so that a record that comes twice meets itself in the same
    partition.
    """

    __tablename__ = "traffic"
    __table_args__ = (
        Index("ix_traffic_time_id", "time", "id"),
        Index("ix_traffic_gateway_time", "gateway_id", "time", "id"),
        Index("ix_traffic_action_time", "action", "time", "id"),
        Index("ix_traffic_outcome_time", "outcome", "time", "id"),
        Index(
            "ix_traffic_approval_id",
            "approval_id",
            postgresql_where=text("approval_id IS NOT NULL"),
            sqlite_where=text("approval_id IS NOT NULL"),
        ),
        {"postgresql_partition_by": "RANGE (day)"},
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    time: Mapped[datetime]
    gateway_id: Mapped[str] = mapped_column(String(32))
    connector: Mapped[str | None] = mapped_column(String(200))
    action: Mapped[str | None] = mapped_column(String(200))
    risk: Mapped[str | None] = mapped_column(String(16))
    method: Mapped[str | None] = mapped_column(String(16))
    host: Mapped[str | None] = mapped_column(String(255))
    decision: Mapped[str | None] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(String(20))
    status: Mapped[int | None] = mapped_column(Integer)
    approval_id: Mapped[str | None] = mapped_column(String(64))
    judge_ms: Mapped[float] = mapped_column(Float)
    hold_ms: Mapped[float] = mapped_column(Float)
    upstream_ms: Mapped[float] = mapped_column(Float)
    document: Mapped[dict[str, Any]]


class _Counts:
    """How many requests of one kind there were from `start` on."""

    start: Mapped[datetime] = mapped_column(primary_key=True)
    gateway_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    action: Mapped[str] = mapped_column(String(200), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(20), primary_key=True)
    count: Mapped[int]


class TrafficMinuteRow(_Counts, Base):
    """Requests in one minute; a chart of a day reads these."""

    __tablename__ = "traffic_minutes"


class TrafficHourRow(_Counts, Base):
    """Requests in one hour; a chart of a month reads these."""

    __tablename__ = "traffic_hours"
