"""The audit log in the database: whatever is done to it there is found, and where."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tameflare_core.audit.chain import verify
from tameflare_core.audit.export import read_export
from tameflare_dashboard.db.session import engine_url
from tameflare_dashboard.store import audit
from tests.dashboard.conftest import ControlPlane, document


def change(plane: ControlPlane, statement: str) -> None:
    engine = create_engine(engine_url(plane.backend.settings.database_url))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def filled(plane: ControlPlane) -> int:
    owner = plane.owner
    owner.gateway()
    for number in range(5):
        owner.put("/api/v1/gateways/prod-agent", {"document": document() + f"# {number}\n"})

    async def sign() -> None:
        async with plane.backend.database.write() as session:
            await audit.sign_checkpoint(session, plane.backend.audit_key, plane.backend.clock())

    plane.run(sign())
    whole = plane.owner.get("/api/v1/audit/verify").json()
    assert whole["whole"], whole
    assert whole["events"] == whole["signed"] >= 9
    return int(whole["events"])


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE audit_events SET actor_name = 'nobody' WHERE seq = 4", 4),
        ("UPDATE audit_events SET after = NULL WHERE seq = 5", 5),
        ("UPDATE audit_events SET verb = 'x' WHERE seq = 1", 1),
        ("DELETE FROM audit_events WHERE seq = 3", 3),
        ("DELETE FROM audit_events WHERE seq > 6", 7),
        ("UPDATE audit_events SET seq = seq + 100 WHERE seq = 5", 5),
        ("UPDATE audit_events SET hash = previous, previous = hash WHERE seq = 6", 6),
        ("UPDATE audit_events SET time = '2020-01-01 00:00:00' WHERE seq = 2", 2),
    ],
)
def test_tampering_is_found_and_located(
    control_plane: ControlPlane, statement: str, seq: int
) -> None:
    filled(control_plane)
    change(control_plane, statement)
    found = control_plane.owner.get("/api/v1/audit/verify").json()
    assert (found["whole"], found["seq"]) == (False, seq)
    assert found["problem"]


def test_forged_checkpoint_is_found(control_plane: ControlPlane) -> None:
    filled(control_plane)
    change(control_plane, "UPDATE audit_checkpoints SET hash = 'x'")
    assert control_plane.owner.get("/api/v1/audit/verify").json()["whole"] is False


def test_exported_log_verifies_elsewhere(control_plane: ControlPlane) -> None:
    count = filled(control_plane)
    lines = control_plane.owner.get("/api/v1/audit/export").text.splitlines()
    head, events = read_export(lines)
    assert head.key.id == control_plane.backend.audit_key.public.id
    assert verify(events, head.checkpoints, head.key).events == count
    rows = control_plane.owner.get("/api/v1/audit/export", params={"format": "csv"}).text
    assert len(rows.splitlines()) >= count + 1


def test_log_tells_who_did_what_and_no_secret(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    owner.put("/api/v1/credentials/gh", {"value": "ghp_very_secret"})
    made = owner.gateway()
    owner.post("/api/v1/me/tokens", {"name": "script"})
    text_ = owner.get("/api/v1/audit/export").text
    assert "ghp_very_secret" not in text_
    assert made["token"] not in text_
    assert "correct horse" not in text_
    items: list[dict[str, Any]] = owner.get("/api/v1/audit").json()["items"]
    verbs = {item["verb"] for item in items}
    assert {"credential.create", "gateway.create", "token.create", "user.create"} <= verbs
    assert {item["actor_name"] for item in items} >= {"owner@example.com"}


def test_pages_of_the_log_follow_one_another(control_plane: ControlPlane) -> None:
    count = filled(control_plane)
    seen, cursor = [], None
    while True:
        page = control_plane.owner.get(
            "/api/v1/audit", params={"limit": 4, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [item["seq"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == list(range(count, 0, -1))
