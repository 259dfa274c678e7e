"""The organization, its users, and what they identify themselves with.

Of whatever is a secret of somebody's, a digest is stored: SHA-256 of what is random, Argon2id of
passwords.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from tameflare_dashboard.db.columns import Base

__all__ = [
    "AttemptRow",
    "InvitationRow",
    "LoginCodeRow",
    "OrgRow",
    "PersonalTokenRow",
    "SessionRow",
    "UserRow",
]


class OrgRow(Base):
    """The one organization of this database, with its settings."""

    __tablename__ = "orgs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    settings: Mapped[dict[str, Any]]
    blocked_categories: Mapped[list[Any]]


class UserRow(Base):
    """Somebody who can log in."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    slack_user: Mapped[str | None] = mapped_column(String(64), unique=True)
    created: Mapped[datetime]
    last_login: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class SessionRow(Base):
    """A login of a browser."""

    __tablename__ = "sessions"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created: Mapped[datetime]
    seen: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(300))


class PersonalTokenRow(Base):
    """A personal access token, `tfpat_…`."""

    __tablename__ = "personal_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    used: Mapped[datetime | None]


class InvitationRow(Base):
    """A link that makes one user; the first owner's set-up link is one too."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    email: Mapped[str] = mapped_column(String(320))
    role: Mapped[str] = mapped_column(String(16))
    setup: Mapped[bool] = mapped_column(default=False)
    invited_by: Mapped[str] = mapped_column(String(320))
    created: Mapped[datetime]
    expires: Mapped[datetime]
    accepted: Mapped[datetime | None]


class LoginCodeRow(Base):
    """A login that a command waits for while its user confirms a code elsewhere."""

    __tablename__ = "login_codes"

    device_digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_code: Mapped[str] = mapped_column(String(16), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True)


class AttemptRow(Base):
    """A failed login, by what it is counted under."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_subject_at", "subject", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subject: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
