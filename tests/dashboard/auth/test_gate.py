"""Every call to `/api/v1`, as everybody: who is let in is what the roles say."""

from __future__ import annotations

from typing import Any

from fastapi.routing import iter_route_contexts

from tameflare_dashboard.auth.gate import capability_of
from tameflare_dashboard.auth.roles import Capability, UserRole, may
from tests.dashboard.conftest import ControlPlane

# Calls by which one comes in, when nobody knows yet who it is.
OPEN = {
    ("GET", "/api/v1/setup"),
    ("POST", "/api/v1/setup"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/invitations/accept"),
    ("POST", "/api/v1/login-codes"),
    ("POST", "/api/v1/login-codes/redeem"),
}

# The table of the documentation, written down a second time.
TABLE = {
    UserRole.OWNER: set(Capability),
    UserRole.ADMIN: {Capability.SEE, Capability.ANSWER, Capability.EDIT, Capability.KILL},
    UserRole.MEMBER: {Capability.SEE, Capability.ANSWER, Capability.KILL},
    UserRole.VIEWER: {Capability.SEE},
}


def routes(plane: ControlPlane) -> list[tuple[str, str, set[Capability]]]:
    """Method, path and what it takes, of each call to the API."""
    found = [
        (method, context.path or "", capabilities(context.dependant))
        for context in iter_route_contexts(plane.app.routes)
        if (context.path or "").startswith("/api/v1")
        for method in sorted(context.methods or ())
    ]
    assert len(found) > 50
    return found


def capabilities(dependant: Any) -> set[Capability]:
    own = capability_of(dependant.call)
    found = set() if own is None else {own}
    for each in dependant.dependencies:
        found |= capabilities(each)
    return found


def test_roles_are_those_of_the_documentation() -> None:
    for role, allowed in TABLE.items():
        assert {each for each in Capability if may(role, each)} == allowed


def test_every_call_says_who_may_make_it(control_plane: ControlPlane) -> None:
    for method, path, needed in routes(control_plane):
        if (method, path) in OPEN:
            assert needed == set(), path
        else:
            assert len(needed) == 1, path


def test_what_changes_things_takes_more_than_seeing(control_plane: ControlPlane) -> None:
    own = ("/api/v1/me/", "/api/v1/session", "/api/v1/login-codes/confirm", "/api/v1/simulate")
    for method, path, needed in routes(control_plane):
        if method != "GET" and (method, path) not in OPEN and not path.startswith(own):
            assert needed not in (set(), {Capability.SEE}), f"{method} {path}"


def test_every_call_as_everybody(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    users = {role: owner if role == UserRole.OWNER else control_plane.user(role) for role in TABLE}
    token = owner.gateway()["token"]
    calls = [call for call in routes(control_plane) if call[:2] not in OPEN]
    nobody, gateway = control_plane.client(), control_plane.as_gateway(token)
    tried = 0
    for method, path, (needed,) in sorted(calls, key=lambda call: call[:2]):
        if (method, path) == ("DELETE", "/api/v1/session"):
            continue
        # Nothing is there by these names: who gets past the gate is told so.
        url = path.replace("{gateway}", "none").replace("{index}", "0").replace("{user}", "none")
        url = url.replace("{id}", "0" * 36).replace("{name}", "none")
        assert nobody.request(method, url).status_code == 401, path
        assert gateway.request(method, url).status_code == 401, path
        for role, user in users.items():
            status = user.write(method, url, json=None).status_code
            refused = needed not in TABLE[role]
            assert (status == 403) == refused, f"{role} {method} {path}: {status}"
            assert status not in {401, 500}, f"{role} {method} {path}: {status}"
            tried += 1
    assert tried > 200


def test_a_gateways_token_is_no_users(control_plane: ControlPlane) -> None:
    client = control_plane.as_gateway(control_plane.owner.gateway()["token"])
    assert client.post("/api/v1/approvals/apv_1/approve", json={}).status_code == 401


def test_revoked_token_is_void_at_once(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    made = owner.post("/api/v1/me/tokens", {"name": "script"}).json()
    client = control_plane.client(headers={"Authorization": f"Bearer {made['token']}"})
    assert client.get("/api/v1/gateways").status_code == 200
    assert client.post("/api/v1/me/tokens", json={"name": "more"}).status_code == 201
    assert owner.delete(f"/api/v1/me/tokens/{made['id']}").status_code == 204
    assert client.get("/api/v1/gateways").status_code == 401


def test_user_who_was_locked_out_is_out_everywhere(control_plane: ControlPlane) -> None:
    owner, admin = control_plane.owner, control_plane.user("admin")
    made = admin.post("/api/v1/me/tokens", {"name": "script"}).json()
    client = control_plane.client(headers={"Authorization": f"Bearer {made['token']}"})
    answer = owner.write(
        "PATCH", f"/api/v1/users/{admin.email}", json={"active": False}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 200
    assert admin.get("/api/v1/gateways").status_code == 401
    assert client.get("/api/v1/gateways").status_code == 401


def test_answer_carries_what_keeps_pages_safe(control_plane: ControlPlane) -> None:
    headers = control_plane.client().get("/api/v1/setup").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


def test_name_that_was_made_to_point_here_is_refused(control_plane: ControlPlane) -> None:
    answer = control_plane.client().get("/api/v1/setup", headers={"Host": "evil.example"})
    assert answer.status_code == 421
