"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_subject_at", "attempts", ["subject", "at"], unique=False)
    op.create_table(
        "audit_checkpoints",
        sa.Column("seq", _SEQ, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_events",
        sa.Column("seq", _SEQ, autoincrement=False, nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("actor_name", sa.String(length=320), nullable=False),
        sa.Column("verb", sa.String(length=80), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_actor"), "audit_events", ["actor"], unique=False)
    op.create_index(op.f("ix_audit_events_object"), "audit_events", ["object"], unique=False)
    op.create_index(op.f("ix_audit_events_time"), "audit_events", ["time"], unique=False)
    op.create_index(op.f("ix_audit_events_verb"), "audit_events", ["verb"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("updated", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_credentials")),
    )
    op.create_table(
        "gateways",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("updated", _TIME, nullable=False),
        sa.Column("seen", _TIME, nullable=True),
        sa.Column("fetched_revision", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateways")),
        sa.UniqueConstraint("name", name=op.f("uq_gateways_name")),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("proxy", sa.String(length=32), nullable=False),
        sa.Column("seen", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
    )
    op.create_index(op.f("ix_instances_proxy"), "instances", ["proxy"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("setup", sa.Boolean(), nullable=False),
        sa.Column("invited_by", sa.String(length=320), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.Column("accepted", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("digest", name=op.f("uq_invitations_digest")),
    )
    op.create_table(
        "kill_switches",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=300), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=320), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("ended", _TIME, nullable=True),
        sa.Column("ended_by", sa.String(length=320), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kill_switches")),
    )
    op.create_index(op.f("ix_kill_switches_ended"), "kill_switches", ["ended"], unique=False)
    op.create_table(
        "org_policies",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_org_policies")),
    )
    op.create_table(
        "orgs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("settings", _DOCUMENT, nullable=False),
        sa.Column("blocked_categories", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orgs")),
    )
    op.create_table(
        "seen_signatures",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_seen_signatures")),
    )
    op.create_index(op.f("ix_seen_signatures_at"), "seen_signatures", ["at"], unique=False)
    op.create_table(
        "streams",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("instance", sa.String(length=32), nullable=False),
        sa.Column("seen", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
    )
    op.create_table(
        "traffic",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=False),
        sa.Column("connector", sa.String(length=200), nullable=True),
        sa.Column("action", sa.String(length=200), nullable=True),
        sa.Column("risk", sa.String(length=16), nullable=True),
        sa.Column("method", sa.String(length=16), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("approval_id", sa.String(length=64), nullable=True),
        sa.Column("judge_ms", sa.Float(), nullable=False),
        sa.Column("hold_ms", sa.Float(), nullable=False),
        sa.Column("upstream_ms", sa.Float(), nullable=False),
        sa.Column("document", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("day", "id", name=op.f("pk_traffic")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_traffic_action_time", "traffic", ["action", "time", "id"], unique=False)
    op.create_index(
        "ix_traffic_approval_id",
        "traffic",
        ["approval_id"],
        unique=False,
        postgresql_where=sa.text("approval_id IS NOT NULL"),
        sqlite_where=sa.text("approval_id IS NOT NULL"),
    )
    op.create_index(
        "ix_traffic_gateway_time", "traffic", ["gateway_id", "time", "id"], unique=False
    )
    op.create_index("ix_traffic_outcome_time", "traffic", ["outcome", "time", "id"], unique=False)
    op.create_index("ix_traffic_time_id", "traffic", ["time", "id"], unique=False)
    op.create_table(
        "traffic_hours",
        sa.Column("start", _TIME, nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "start", "gateway_id", "action", "outcome", name=op.f("pk_traffic_hours")
        ),
    )
    op.create_table(
        "traffic_minutes",
        sa.Column("start", _TIME, nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "start", "gateway_id", "action", "outcome", name=op.f("pk_traffic_minutes")
        ),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("slack_user", sa.String(length=64), nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("last_login", _TIME, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("slack_user", name=op.f("uq_users_slack_user")),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=False),
        sa.Column("instance", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("request", _DOCUMENT, nullable=False),
        sa.Column("roles", _DOCUMENT, nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.Column("answered", _TIME, nullable=True),
        sa.Column("by", sa.String(length=320), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("widened", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["gateway_id"],
            ["gateways.id"],
            name=op.f("fk_approvals_gateway_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(op.f("ix_approvals_gateway_id"), "approvals", ["gateway_id"], unique=False)
    op.create_index("ix_approvals_state_created", "approvals", ["state", "created"], unique=False)
    op.create_index("ix_approvals_state_instance", "approvals", ["state", "instance"], unique=False)
    op.create_table(
        "gateway_tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["gateway_id"],
            ["gateways.id"],
            name=op.f("fk_gateway_tokens_gateway_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_gateway_tokens_digest")),
    )
    op.create_index(
        op.f("ix_gateway_tokens_gateway_id"), "gateway_tokens", ["gateway_id"], unique=False
    )
    op.create_table(
        "login_codes",
        sa.Column("device_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_code", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_login_codes_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device_digest", name=op.f("pk_login_codes")),
        sa.UniqueConstraint("user_code", name=op.f("uq_login_codes_user_code")),
    )
    op.create_index(op.f("ix_login_codes_expires"), "login_codes", ["expires"], unique=False)
    op.create_table(
        "personal_tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=True),
        sa.Column("used", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_personal_tokens_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_personal_tokens_digest")),
    )
    op.create_index(
        op.f("ix_personal_tokens_user_id"), "personal_tokens", ["user_id"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("seen", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        sa.UniqueConstraint("id", name=op.f("uq_sessions_id")),
    )
    op.create_index(op.f("ix_sessions_expires"), "sessions", ["expires"], unique=False)
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("approval_id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("due", _TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_state", sa.String(length=16), nullable=True),
        sa.Column("place", _DOCUMENT, nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            ["approvals.id"],
            name=op.f("fk_notices_approval_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_approval_id"), "notices", ["approval_id"], unique=False)
    op.create_index("ix_notices_due", "notices", ["due"], unique=False)


def downgrade() -> None:
    """Remove every table."""
    op.drop_index("ix_notices_due", table_name="notices")
    op.drop_index(op.f("ix_notices_approval_id"), table_name="notices")
    op.drop_table("notices")
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_expires"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_personal_tokens_user_id"), table_name="personal_tokens")
    op.drop_table("personal_tokens")
    op.drop_index(op.f("ix_login_codes_expires"), table_name="login_codes")
    op.drop_table("login_codes")
    op.drop_index(op.f("ix_gateway_tokens_gateway_id"), table_name="gateway_tokens")
    op.drop_table("gateway_tokens")
    op.drop_index("ix_approvals_state_instance", table_name="approvals")
    op.drop_index("ix_approvals_state_created", table_name="approvals")
    op.drop_index(op.f("ix_approvals_gateway_id"), table_name="approvals")
    op.drop_table("approvals")
    op.drop_table("users")
    op.drop_table("traffic_minutes")
    op.drop_table("traffic_hours")
    op.drop_index("ix_traffic_time_id", table_name="traffic")
    op.drop_index("ix_traffic_outcome_time", table_name="traffic")
    op.drop_index("ix_traffic_gateway_time", table_name="traffic")
    op.drop_index(
        "ix_traffic_approval_id",
        table_name="traffic",
        postgresql_where=sa.text("approval_id IS NOT NULL"),
        sqlite_where=sa.text("approval_id IS NOT NULL"),
    )
    op.drop_index("ix_traffic_action_time", table_name="traffic")
    op.drop_table("traffic")
    op.drop_table("streams")
    op.drop_index(op.f("ix_seen_signatures_at"), table_name="seen_signatures")
    op.drop_table("seen_signatures")
    op.drop_table("orgs")
    op.drop_table("org_policies")
    op.drop_index(op.f("ix_kill_switches_ended"), table_name="kill_switches")
    op.drop_table("kill_switches")
    op.drop_table("invitations")
    op.drop_index(op.f("ix_instances_proxy"), table_name="instances")
    op.drop_table("instances")
    op.drop_table("gateways")
    op.drop_table("credentials")
    op.drop_index(op.f("ix_audit_events_verb"), table_name="audit_events")
    op.drop_index(op.f("ix_audit_events_time"), table_name="audit_events")
    op.drop_index(op.f("ix_audit_events_object"), table_name="audit_events")
    op.drop_index(op.f("ix_audit_events_actor"), table_name="audit_events")
    op.drop_table("audit_events")
    op.drop_table("audit_checkpoints")
    op.drop_index("ix_attempts_subject_at", table_name="attempts")
    op.drop_table("attempts")
