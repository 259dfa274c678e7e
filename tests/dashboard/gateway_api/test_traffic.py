"""Traffic records: kept once, found by filters, counted over time, exported, forgotten."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tameflare_dashboard.store import traffic
from tests.dashboard.conftest import ControlPlane

PATH = "/api/gateway/traffic"


def record(at: datetime, number: int = 0, **changes: Any) -> dict[str, Any]:
    stamp = int(at.timestamp() * 1000)
    value = stamp << 80 | 0x7 << 76 | 0b10 << 62 | number
    return {
        "id": str(uuid.UUID(int=value)),
        "time": at.isoformat(),
        "gateway": "prod-agent",
        "method": "GET",
        "scheme": "https",
        "host": "api.github.com",
        "port": 443,
        "path": "/repos/o/r",
        "connector": "github",
        "actions": [{"name": "github.repo.get", "access": "read", "risk": "low"}],
        "decision": "allow",
        "applied": "allow",
        "rule": {"kind": "permission", "id": "permissions[0]", "pattern": "github.*"},
        "reason": "allowed",
        "outcome": "forwarded",
        "status": 200,
        "approval_id": None,
        "judge_ms": 0.1,
        "hold_ms": 0.0,
        "upstream_ms": 12.5,
        "error": None,
        **changes,
    }


@pytest.fixture
def gateway(control_plane: ControlPlane) -> httpx.Client:
    return control_plane.as_gateway(control_plane.owner.gateway()["token"])


def test_batch_that_comes_twice_is_kept_once(
    control_plane: ControlPlane, gateway: httpx.Client
) -> None:
    now = datetime.now(UTC)
    records = [record(now - timedelta(seconds=n), n) for n in range(20)]
    first = gateway.post(PATH, json={"records": records[:12]})
    assert first.json() == {"accepted": 12, "known": 0}
    again = gateway.post(PATH, json={"records": [*records, records[3]]})
    assert again.json() == {"accepted": 8, "known": 13}
    items = control_plane.owner.get("/api/v1/traffic", params={"limit": 100}).json()["items"]
    assert [item["id"] for item in items] == [one["id"] for one in records]
    points = control_plane.owner.get("/api/v1/traffic/series").json()["points"]
    assert sum(point["counts"]["forwarded"] for point in points) == 20


def test_records_are_the_tokens_gateways(
    control_plane: ControlPlane, gateway: httpx.Client
) -> None:
    now = datetime.now(UTC)
    answer = gateway.post(PATH, json={"records": [record(now, gateway="somebody-else")]})
    assert answer.status_code == 200
    (item,) = control_plane.owner.get("/api/v1/traffic").json()["items"]
    assert item["gateway"] == "prod-agent"


def test_what_is_no_record_spoils_its_whole_batch(
    control_plane: ControlPlane, gateway: httpx.Client
) -> None:
    now = datetime.now(UTC)
    for wrong in (
        record(now, id="x"),
        record(now, id=str(uuid.uuid4())),
        record(now, time="yesterday"),
        record(now, time="2026-03-01T12:00:00"),
        record(now, outcome="x" * 30),
    ):
        assert gateway.post(PATH, json={"records": [record(now), wrong]}).status_code == 422
    assert gateway.post(PATH, json={"records": [record(now)] * 1001}).status_code == 422
    assert control_plane.owner.get("/api/v1/traffic").json()["items"] == []


def test_filters_find_what_they_name(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    now = datetime.now(UTC)
    merge = [{"name": "github.pr.merge", "access": "write", "risk": "high"}]
    records = [
        record(now, 1),
        record(now, 2, actions=merge, decision="deny", outcome="denied", status=403),
        record(now, 3, host="api.stripe.com", connector="stripe", actions=[], method="POST"),
        record(now - timedelta(days=2), 4, approval_id="apv_7"),
    ]
    gateway.post(PATH, json={"records": records})

    def found(**params: Any) -> list[int]:
        answer = control_plane.owner.get("/api/v1/traffic", params=params)
        assert answer.status_code == 200, answer.text
        return sorted(int(item["id"][-2:], 16) for item in answer.json()["items"])

    assert found() == [1, 2, 3, 4]
    assert found(gateway="prod-agent") == [1, 2, 3, 4]
    assert found(action="github.pr.merge") == [2]
    assert found(action="github.*") == [1, 2, 4]
    assert found(risk="high") == [2]
    assert found(decision="deny") == found(outcome="denied") == found(status=403) == [2]
    assert found(connector="stripe") == found(host="api.stripe.com") == found(method="POST") == [3]
    assert found(approval="apv_7") == [4]
    assert found(since=(now - timedelta(days=1)).isoformat()) == [1, 2, 3]
    assert found(until=(now - timedelta(days=1)).isoformat()) == [4]
    assert control_plane.owner.get("/api/v1/traffic", params={"gateway": "no"}).status_code == 404


def test_pages_follow_one_another(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    now = datetime.now(UTC)
    gateway.post(PATH, json={"records": [record(now, n) for n in range(25)]})
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 10, **({"cursor": cursor} if cursor else {})}
        page = control_plane.owner.get("/api/v1/traffic", params=params).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 25
    assert control_plane.owner.get("/api/v1/traffic", params={"cursor": "x"}).status_code == 422


def test_one_record_is_found_by_the_agents_request_id(
    control_plane: ControlPlane, gateway: httpx.Client
) -> None:
    kept = record(datetime.now(UTC), 5)
    gateway.post(PATH, json={"records": [kept]})
    found = control_plane.owner.get(f"/api/v1/traffic/{kept['id']}").json()
    assert found["path"] == "/repos/o/r"
    missing = kept["id"].replace("5", "6")
    assert control_plane.owner.get(f"/api/v1/traffic/{missing}").status_code in {200, 404}


def test_chart_counts_by_outcome(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    at = datetime.now(UTC).replace(minute=10, second=0, microsecond=0) - timedelta(hours=2)
    records = [record(at + timedelta(seconds=n), n) for n in range(5)]
    records += [record(at + timedelta(minutes=1), 9, outcome="denied", decision="deny")]
    gateway.post(PATH, json={"records": records})
    params = {"step": 60, "since": (at - timedelta(minutes=5)).isoformat()}
    points = control_plane.owner.get("/api/v1/traffic/series", params=params).json()["points"]
    assert [point["counts"] for point in points] == [{"forwarded": 5}, {"denied": 1}]
    hourly = control_plane.owner.get(
        "/api/v1/traffic/series", params={**params, "step": 3600}
    ).json()["points"]
    assert [point["counts"] for point in hourly] == [{"forwarded": 5, "denied": 1}]
    top = control_plane.owner.get("/api/v1/traffic/actions").json()
    assert top == [{"action": "github.repo.get", "count": 6}]


def test_export_holds_every_record(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    now = datetime.now(UTC)
    records = [record(now, n, reason="=1+1") for n in range(30)]
    gateway.post(PATH, json={"records": records})
    lines = control_plane.owner.get("/api/v1/traffic/export").text.splitlines()
    assert len(lines) == 30
    answer = control_plane.owner.get("/api/v1/traffic/export", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 30
    assert {row["reason"] for row in rows} == {"'=1+1"}


def test_clock_of_a_gateway_that_is_wrong_loses_nothing(
    control_plane: ControlPlane, gateway: httpx.Client
) -> None:
    now = datetime.now(UTC)
    records = [record(now + timedelta(days=3000)), record(datetime(1999, 1, 1, tzinfo=UTC))]
    for _ in range(2):
        gateway.post(PATH, json={"records": records})
    assert len(control_plane.owner.get("/api/v1/traffic").json()["items"]) == 2


def test_old_records_are_forgotten(control_plane: ControlPlane, gateway: httpx.Client) -> None:
    now = datetime.now(UTC)
    records = [record(now, 1), record(now - timedelta(days=40), 2)]
    gateway.post(PATH, json={"records": records})

    async def prune() -> int:
        async with control_plane.backend.database.write() as session:
            return await traffic.prune(session, timedelta(days=30), now)

    assert control_plane.run(prune()) == 1
    items = control_plane.owner.get("/api/v1/traffic").json()["items"]
    assert [item["id"] for item in items] == [records[0]["id"]]


def test_what_an_agent_wrote_holds_nothing_up(
    control_plane: ControlPlane, gateway: httpx.Client
) -> None:
    nasty = "a\0b\ud800c"
    records = [
        record(
            datetime.now(UTC),
            1,
            path=nasty,
            actions=[{"name": "x.y", "risk": "low", "resource": {nasty: nasty}}],
        ),
        record(datetime.now(UTC), 2),
    ]
    content = json.dumps({"records": records})
    answer = gateway.post(PATH, content=content, headers={"Content-Type": "application/json"})
    assert answer.json() == {"accepted": 2, "known": 0}
    paths = {item["path"] for item in control_plane.owner.get("/api/v1/traffic").json()["items"]}
    assert paths == {"a\ufffdb?c", "/repos/o/r"}


def test_text_that_cannot_be_kept_is_refused(control_plane: ControlPlane) -> None:
    reason = {"scope": "org", "reason": "a\0b"}
    assert control_plane.owner.post("/api/v1/kill-switches", reason).status_code in {201, 422}
    assert control_plane.owner.get("/api/v1/traffic?host=%00").status_code == 422


def test_top_actions_add_up_over_hours_and_minutes(
    control_plane: ControlPlane, gateway: httpx.Client
) -> None:
    now = datetime.now(UTC)
    at = [now - timedelta(minutes=minutes, seconds=20) for minutes in range(0, 330, 7)]
    batch = {"records": [record(time, number) for number, time in enumerate(at)]}
    assert gateway.post(PATH, json=batch).status_code == 200
    for minutes in (5, 59, 61, 119, 125, 250, 330):
        since = now - timedelta(minutes=minutes)
        path = "/api/v1/traffic/actions"
        found = control_plane.owner.get(path, params={"since": since.isoformat()}).json()
        # A minute counts as a whole.
        first = since.replace(second=0, microsecond=0)
        expected = sum(time >= first for time in at)
        assert found == [{"action": "github.repo.get", "count": expected}], minutes
