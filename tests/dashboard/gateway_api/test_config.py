"""What a gateway fetches: its document, sealed credentials, kill switches."""

from __future__ import annotations

import pytest

from tameflare_core.errors import VaultError
from tameflare_core.sync.sealing import open_for_token
from tameflare_core.tokens import new_gateway_token
from tests.dashboard.conftest import ControlPlane, document

SECRET = "ghp_" + "s3cr3t" * 5
WITH_CREDENTIAL = document().replace("type: github", "type: github\n    credential: vault:gh")


def test_unknown_token_gets_nothing(control_plane: ControlPlane) -> None:
    for token in (new_gateway_token(), "gwtk_x", "x", "tfpat_x"):
        answer = control_plane.as_gateway(token).get("/api/gateway/config")
        assert answer.status_code == 401, token


def test_config_changes_its_tag_with_everything_in_it(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    assert owner.put("/api/v1/credentials/gh", {"value": SECRET}).status_code == 201
    made = owner.gateway(text=WITH_CREDENTIAL)
    client = control_plane.as_gateway(made["token"])
    tags = []

    def fetched() -> None:
        answer = client.get("/api/gateway/config")
        assert answer.status_code == 200
        tag = answer.headers["etag"]
        assert answer.json()["revision"] == tag.strip('"')
        again = client.get("/api/gateway/config", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        tags.append(tag)

    fetched()
    owner.put(f"/api/v1/gateways/{made['id']}", {"document": WITH_CREDENTIAL + "# more\n"})
    fetched()
    owner.put("/api/v1/credentials/gh", {"value": "another"})
    fetched()
    switch = owner.post("/api/v1/kill-switches", {"scope": "org", "reason": "drill"}).json()
    fetched()
    owner.put("/api/v1/blocked-categories", {"items": ["financial"]})
    fetched()
    assert len(set(tags)) == 5
    assert owner.delete(f"/api/v1/kill-switches/{switch['id']}").status_code == 204
    fetched()
    assert len(set(tags)) == 6


def test_credentials_open_with_the_token_alone(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    owner.put("/api/v1/credentials/gh", {"value": SECRET})
    made = owner.gateway(text=WITH_CREDENTIAL)
    answer = control_plane.as_gateway(made["token"]).get("/api/gateway/config")
    assert SECRET not in answer.text
    sealed = answer.json()["credentials"]["gh"]
    place = {"gateway": made["id"], "name": "gh", "version": sealed["version"]}
    opened = open_for_token(made["token"], sealed["sealed"], **place)
    assert opened.reveal() == SECRET
    for token, changed in (
        (new_gateway_token(), place),
        (made["token"], {**place, "version": 2}),
        (made["token"], {**place, "name": "other"}),
        (made["token"], {**place, "gateway": "gw_other"}),
    ):
        with pytest.raises(VaultError):
            open_for_token(token, sealed["sealed"], **changed)


def test_gateway_gets_what_the_organization_adds(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    token = owner.gateway()["token"]
    policy = {
        "rules": [{"name": "all", "decision": "deny", "reason": "not on sundays"}],
        "scope": {"gateways": ["prod-*"]},
    }
    assert owner.put("/api/v1/policies/sundays", {"value": policy}).status_code == 201
    assert owner.put("/api/v1/blocked-categories", {"items": ["secrets"]}).status_code == 200
    served = control_plane.as_gateway(token).get("/api/gateway/config").json()["document"]
    assert "not on sundays" in served
    assert "secrets" in served


def test_rotated_token_overlaps_and_revoked_one_ends(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    made = owner.gateway()
    new = owner.post(f"/api/v1/gateways/{made['id']}/tokens", {"overlap": 60}).json()
    old, fresh = (control_plane.as_gateway(each["token"]) for each in (made, new))
    assert old.get("/api/gateway/config").status_code == 200
    assert fresh.get("/api/gateway/config").status_code == 200
    listed = owner.get(f"/api/v1/gateways/{made['id']}").json()["tokens"]
    assert sorted(token["expires"] is None for token in listed) == [False, True]
    assert owner.delete(f"/api/v1/gateways/{made['id']}/tokens/{new['id']}").status_code == 204
    assert fresh.get("/api/gateway/config").status_code == 401
    assert owner.post(f"/api/v1/gateways/{made['id']}/tokens", {"overlap": 0}).status_code == 201
    assert old.get("/api/gateway/config").status_code == 401


def test_gateway_is_seen_when_it_fetches(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    made = owner.gateway()
    assert owner.get("/api/v1/gateways").json()[0]["online"] is False
    control_plane.as_gateway(made["token"]).get("/api/gateway/config")
    assert owner.get("/api/v1/gateways").json()[0]["online"] is True


def test_certificate_is_told_where_there_is_one(control_plane: ControlPlane) -> None:
    client = control_plane.as_gateway(control_plane.owner.gateway()["token"])
    assert client.get("/api/gateway/ca.pem").status_code == 404
