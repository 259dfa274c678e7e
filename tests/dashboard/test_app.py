"""The OpenAPI document, and the whole API against it."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings

from tests.dashboard.conftest import ControlPlane
from tests.dashboard.gateway_api.asking import approval

# Streams that never end by themselves, and ways out of the very session that the test uses.
LEFT_OUT = {
    ("GET", "/api/gateway/events"),
    ("DELETE", "/api/v1/session"),
    ("POST", "/api/v1/me/password"),
    # It calls whatever address was made up for it; test_sender.py has a stand-in.
    ("POST", "/api/v1/settings/notices/test"),
}


def document(plane: ControlPlane) -> dict[str, Any]:
    found: dict[str, Any] = plane.client().get("/api/openapi.json").json()
    return found


def test_every_call_is_described(control_plane: ControlPlane) -> None:
    ids = []
    for path, calls in document(control_plane)["paths"].items():
        for method, call in calls.items():
            assert call["summary"], path
            assert call["description"], f"{method} {path}"
            assert call["tags"], path
            ids.append(call["operationId"])
    assert len(ids) == len(set(ids))


def test_no_answer_is_an_error_of_ours(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    made = owner.gateway()
    control_plane.as_gateway(made["token"]).post("/api/gateway/approvals", json=approval("apv_1"))
    token = owner.post("/api/v1/me/tokens", {"name": "fuzz"}).json()["token"]
    schema = schemathesis.openapi.from_url(f"{control_plane.url}/api/openapi.json")
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if (operation.method.upper(), operation.path) in LEFT_OUT:
            continue
        bearer = made["token"] if operation.path.startswith("/api/gateway") else token

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def one(case: schemathesis.Case) -> None:
            nonlocal tried
            tried += 1
            headers = {"Authorization": f"Bearer {bearer}", "If-Match": "*"}  # noqa: B023
            answer = case.call(base_url=control_plane.url, headers=headers, timeout=20)
            assert answer.status_code < 500, (
                f"{case.method} {case.formatted_path} {case.query} {case.body}: {answer.text[:500]}"
            )
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0] == "application/problem+json"

        from hypothesis import given

        given(case=operation.as_strategy())(one)()
    assert tried > 300
