"""Coming in: the first owner, login, invitations, commands."""

from __future__ import annotations

from datetime import timedelta

from tameflare_dashboard.app import setup_link
from tests.dashboard.conftest import PASSWORD, ControlPlane


def test_first_owner_comes_by_a_link_that_works_once(control_plane: ControlPlane) -> None:
    client = control_plane.client()
    assert client.get("/api/v1/setup").json() == {"needed": True}
    link = control_plane.run(setup_link(control_plane.backend))
    body = {
        "token": link.partition("#")[2],
        "organization": "Example",
        "email": "Ana@Example.com ",
        "name": "Ana",
        "password": PASSWORD,
    }
    assert client.post("/api/v1/setup", json={**body, "token": "x"}).status_code in {410, 422}
    body["email"] = "Ana@Example.com"
    assert client.post("/api/v1/setup", json={**body, "token": "x" * 43}).status_code == 410
    answer = client.post("/api/v1/setup", json=body)
    assert answer.status_code == 201
    assert answer.json()["role"] == "owner"
    assert answer.json()["email"] == "ana@example.com"
    assert client.get("/api/v1/session").json()["email"] == "ana@example.com"
    assert client.post("/api/v1/setup", json=body).status_code == 410
    assert control_plane.run(setup_link(control_plane.backend)) is None


def test_cookie_is_kept_from_scripts_and_other_sites(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    answer = control_plane.client().post(
        "/api/v1/session", json={"email": owner.email, "password": PASSWORD}
    )
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_wrong_password_and_unknown_user_look_alike(control_plane: ControlPlane) -> None:
    control_plane.owner  # noqa: B018  # made
    client = control_plane.client()
    answers = [
        client.post("/api/v1/session", json={"email": email, "password": "wrong" * 4})
        for email in ("owner@example.com", "nobody@example.com")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()


def test_guessing_is_throttled(control_plane: ControlPlane) -> None:
    control_plane.owner  # noqa: B018
    client = control_plane.client()
    wrong = {"email": "owner@example.com", "password": "wrong" * 4}
    statuses = [client.post("/api/v1/session", json=wrong).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = client.post("/api/v1/session", json={**wrong, "password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    control_plane.backend.clock = _later(control_plane, timedelta(minutes=16))
    assert client.post("/api/v1/session", json={**wrong, "password": PASSWORD}).status_code == 201


def _later(plane: ControlPlane, by: timedelta):  # type: ignore[no-untyped-def]
    clock = plane.backend.clock
    return lambda: clock() + by


def test_write_of_another_site_is_refused(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    invite = {"email": "x@example.com", "role": "member"}
    without = owner.client.post("/api/v1/invitations", json=invite)
    assert (without.status_code, without.json()["type"].rpartition("/")[2]) == (403, "csrf")
    elsewhere = owner.post(
        "/api/v1/invitations", invite, headers={"Origin": "https://evil.example"}
    )
    assert elsewhere.status_code == 403
    site = owner.post("/api/v1/invitations", invite, headers={"Sec-Fetch-Site": "cross-site"})
    assert site.status_code == 403
    assert owner.post("/api/v1/invitations", invite).status_code == 201


def test_login_cannot_be_forced_by_another_site(control_plane: ControlPlane) -> None:
    answer = control_plane.client().post(
        "/api/v1/session",
        json={"email": "a@example.com", "password": "x"},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403


def test_logging_out_ends_the_session(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    cookies = dict(owner.client.cookies)
    assert owner.delete("/api/v1/session").status_code == 204
    assert control_plane.client(cookies=cookies).get("/api/v1/session").status_code == 401


def test_session_ends_when_nobody_uses_it(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    control_plane.backend.clock = _later(control_plane, timedelta(days=2, minutes=1))
    assert owner.get("/api/v1/session").status_code == 401


def test_invitation_makes_one_user_with_its_role(control_plane: ControlPlane) -> None:
    made = control_plane.owner.post(
        "/api/v1/invitations", {"email": "bo@example.com", "role": "member"}
    ).json()
    client = control_plane.client()
    body = {"token": made["link"].rpartition("/")[2], "name": "Bo", "password": PASSWORD}
    short = client.post("/api/v1/invitations/accept", json={**body, "password": "short"})
    assert short.status_code == 422
    assert "short" not in short.text
    answer = client.post("/api/v1/invitations/accept", json=body)
    assert (answer.status_code, answer.json()["role"]) == (201, "member")
    assert client.post("/api/v1/invitations/accept", json=body).status_code == 410


def test_invitation_is_void_after_a_week(control_plane: ControlPlane) -> None:
    made = control_plane.owner.post(
        "/api/v1/invitations", {"email": "bo@example.com", "role": "owner"}
    ).json()
    control_plane.backend.clock = _later(control_plane, timedelta(days=7, seconds=1))
    body = {"token": made["link"].rpartition("/")[2], "name": "Bo", "password": PASSWORD}
    answer = control_plane.client().post("/api/v1/invitations/accept", json=body)
    assert answer.status_code == 410


def test_command_is_logged_in_by_a_code(control_plane: ControlPlane) -> None:
    owner, command = control_plane.owner, control_plane.client()
    codes = command.post("/api/v1/login-codes", json={"name": "laptop"}).json()
    kept = {"device_code": codes["device_code"]}
    assert command.post("/api/v1/login-codes/redeem", json=kept).json() == {"token": None}
    shown = {"user_code": codes["user_code"].lower()}
    assert owner.post("/api/v1/login-codes/confirm", shown).json() == {"name": "laptop"}
    assert owner.post("/api/v1/login-codes/confirm", shown).status_code == 404
    token = command.post("/api/v1/login-codes/redeem", json=kept).json()["token"]
    me = command.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["email"] == owner.email
    assert command.post("/api/v1/login-codes/redeem", json=kept).status_code == 410


def test_code_is_void_after_ten_minutes(control_plane: ControlPlane) -> None:
    owner, command = control_plane.owner, control_plane.client()
    codes = command.post("/api/v1/login-codes", json={"name": "laptop"}).json()
    control_plane.backend.clock = _later(control_plane, timedelta(minutes=10))
    shown = {"user_code": codes["user_code"]}
    assert owner.post("/api/v1/login-codes/confirm", shown).status_code == 404
