"""Edits of a gateway: checked as a whole, and never over somebody else's."""

from __future__ import annotations

import yaml

from tests.dashboard.conftest import ControlPlane, document

BASE = "/api/v1/gateways/prod-agent"


def test_two_editors_never_overwrite_each_other(control_plane: ControlPlane) -> None:
    owner, admin = control_plane.owner, control_plane.user("admin")
    owner.gateway()
    tag = admin.get(BASE).headers["etag"]
    assert owner.put(BASE, {"document": document() + "# a\n"}, version=tag).status_code == 200
    late = admin.put(BASE, {"document": document() + "# b\n"}, version=tag)
    assert late.status_code == 412
    assert late.json()["type"].endswith("/version-conflict")
    missing = admin.write("PUT", BASE, json={"document": document()})
    assert missing.status_code == 428
    assert owner.get(BASE).json()["document"].endswith("# a\n")


def test_part_is_changed_and_the_rest_stays(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    owner.gateway()
    rule = {"connector": "github", "action": "github.repo.delete", "decision": "deny"}
    added = owner.write(
        "POST", f"{BASE}/permissions", json={"value": rule}, headers={"If-Match": "*"}
    )
    assert added.status_code == 201
    assert added.json()["items"][-1] == rule
    stricter = {**rule, "decision": "require_approval"}
    changed = owner.put(f"{BASE}/permissions/2", {"value": stricter}, version=added.headers["etag"])
    assert changed.json()["items"][2] == stricter
    assert owner.delete(f"{BASE}/permissions/2").json()["items"] == added.json()["items"][:2]
    assert owner.delete(f"{BASE}/permissions/7").status_code == 404
    stripe = owner.put(f"{BASE}/connectors/stripe", {"value": {"type": "stripe"}})
    assert [each["type"] for each in stripe.json()["items"]] == ["github", "stripe"]
    ghe = {"type": "github", "base_url": "https://ghe.example.com/api/v3"}
    assert owner.put(f"{BASE}/connectors/ghe", {"value": ghe}).status_code == 200
    assert owner.delete(f"{BASE}/connectors/ghe").status_code == 200
    assert owner.get(f"{BASE}/connectors").json() == stripe.json()
    policy = {"rules": [{"name": "no", "decision": "deny"}]}
    assert owner.put(f"{BASE}/policies/never", {"value": policy}).status_code == 200
    assert owner.get(f"{BASE}/policies").json()["items"][0]["name"] == "never"
    assert owner.delete(f"{BASE}/policies/never").json() == {"items": []}
    assert yaml.safe_load(owner.get(BASE).json()["document"])["gateway"] == "prod-agent"


def test_edit_that_no_gateway_would_load_changes_nothing(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    owner.gateway()
    before = owner.get(BASE).json()
    wrong = owner.put(f"{BASE}/permissions", {"items": [{"connector": "none", "action": "a.*"}]})
    assert wrong.status_code == 422
    assert any("none" in problem or "decision" in problem for problem in wrong.json()["errors"])
    assert owner.delete(f"{BASE}/connectors/github").status_code == 422
    assert owner.put(BASE, {"document": "gateway: x"}).status_code == 422
    assert owner.get(BASE).json() == before


def test_files_of_another_machine_are_not_looked_for(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    with_ca = document().replace("type: github", "type: github\n    ca_file: /etc/none/ca.pem")
    owner.gateway(text=with_ca)
    relative = owner.put(BASE, {"document": with_ca.replace("/etc/none/", "")})
    assert (relative.status_code, "whole path" in relative.text) == (422, True)


def test_what_is_applied_is_exported_as_it_was(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    text = "# with a comment\n" + document("other")
    path = "/api/v1/gateways/other/tameflare.yaml"
    made = owner.write("PUT", path, content=text)
    assert (made.status_code, made.json()["token"][:5]) == (201, "gwtk_")
    assert owner.get(path).text == text
    again = owner.write("PUT", path, content=text)
    assert (again.status_code, again.json()["token"]) == (200, "")
    assert again.headers["etag"] == made.headers["etag"]
    assert owner.write("PUT", path, content=document("else")).status_code == 422


def test_gateway_is_duplicated_and_removed(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    made = owner.gateway()
    copy = owner.post(f"{BASE}/duplicate", {"name": "copy"}).json()
    assert copy["name"] == "copy"
    assert copy["token"] != made["token"]
    assert owner.post(f"{BASE}/duplicate", {"name": "copy"}).status_code == 409
    assert owner.delete(BASE).status_code == 204
    assert control_plane.as_gateway(made["token"]).get("/api/gateway/config").status_code == 401
    assert [each["name"] for each in owner.get("/api/v1/gateways").json()] == ["copy"]


def test_credential_in_use_is_not_forgotten(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    using = document().replace("type: github", "type: github\n    credential: vault:gh")
    assert owner.post("/api/v1/gateways", {"document": using}).status_code == 409
    put = owner.put("/api/v1/credentials/gh", {"value": "secret"})
    assert put.status_code == 201
    assert "secret" not in put.text
    owner.gateway(text=using)
    assert owner.get("/api/v1/credentials").json()[0]["used_by"] == ["prod-agent"]
    assert owner.delete("/api/v1/credentials/gh").status_code == 409
    owner.put(BASE, {"document": document()})
    assert owner.delete("/api/v1/credentials/gh").status_code == 204


def test_simulator_says_what_would_happen(control_plane: ControlPlane) -> None:
    owner, viewer = control_plane.owner, control_plane.user("viewer")
    owner.gateway()
    merge = {"method": "PUT", "url": "https://api.github.com/repos/o/r/pulls/1/merge"}
    (item,) = viewer.post(
        "/api/v1/simulate", {"gateway": "prod-agent", "requests": [merge]}
    ).json()["items"]
    assert (item["decision"], item["actions"][0]["name"]) == ("require_approval", "github.pr.merge")
    draft = document().replace("require_approval", "deny")
    (item,) = viewer.post("/api/v1/simulate", {"document": draft, "requests": [merge]}).json()[
        "items"
    ]
    assert item["decision"] == "deny"
    owner.post("/api/v1/kill-switches", {"scope": "org", "reason": "drill"})
    (item,) = viewer.post(
        "/api/v1/simulate", {"gateway": "prod-agent", "requests": [merge]}
    ).json()["items"]
    assert item["rule"]["kind"] == "kill_switch"


def test_policy_that_a_gateway_would_not_load_is_refused(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    owner.gateway()
    bad = {
        "rules": [{"name": "x", "decision": "deny", "when": {"field": "no.such", "op": "exists"}}]
    }
    refused = owner.put("/api/v1/policies/bad", {"value": bad})
    assert refused.status_code == 422
    assert owner.get("/api/v1/policies").json() == []
    assert owner.put("/api/v1/blocked-categories", {"items": ["no-such"]}).status_code == 422


def test_last_owner_stays(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    me = f"/api/v1/users/{owner.email}"
    demoted = owner.write("PATCH", me, json={"role": "viewer"}, headers={"If-Match": "*"})
    assert demoted.status_code == 409
    assert owner.delete(me).status_code == 409
    other = control_plane.user("admin")
    promoted = owner.write(
        "PATCH", f"/api/v1/users/{other.email}", json={"role": "owner"}, headers={"If-Match": "*"}
    )
    assert promoted.status_code == 200
    assert owner.delete(me).status_code == 204
    assert owner.get("/api/v1/users").status_code == 401


def test_settings_are_kept(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    changed = owner.put("/api/v1/settings", {"name": "Acme", "retention_days": 30})
    assert changed.status_code == 200
    assert owner.get("/api/v1/settings").json() == {"name": "Acme", "retention_days": 30}
    assert owner.put("/api/v1/settings", {"name": "A", "retention_days": 0}).status_code == 422
