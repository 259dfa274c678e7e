"""What proxies hear at once, for any number of gateways on one stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from tameflare_core.tokens import new_gateway_token, token_digest
from tameflare_dashboard.settings import Settings
from tests.dashboard.conftest import ControlPlane, document
from tests.dashboard.gateway_api.asking import approval


def events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream, without its heartbeats."""
    name = ""
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data" and name != "heartbeat":
            yield name, json.loads(value)


def test_stream_tells_what_changes(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    made = owner.gateway()
    client = control_plane.as_gateway(made["token"], **{"X-TameFlare-Instance": "pxi_1"})
    with client.stream("GET", "/api/gateway/events") as answer:
        told = events(answer)
        name, first = next(told)
        assert (name, first["gateway"]) == ("stream", made["id"])
        assert next(told) == ("kill_switch", {"kill_switches": []})
        owner.put(f"/api/v1/gateways/{made['id']}", {"document": document() + "# more\n"})
        assert next(told) == ("config", {"gateway": made["id"]})
        owner.post("/api/v1/kill-switches", {"scope": "gateway:prod-agent", "reason": "drill"})
        name, data = next(told)
        assert name == "kill_switch"
        assert data["kill_switches"][0]["scope"] == "gateway:prod-agent"
        control_plane.as_gateway(made["token"]).post(
            "/api/gateway/approvals", json=approval("apv_1")
        )
        owner.post("/api/v1/approvals/apv_1/deny", {"note": "no"})
        name, data = next(told)
        assert (name, data["id"], data["state"]) == ("approval", "apv_1", "denied")
        assert (data["note"], data["by"]) == ("no", "owner@example.com")


def test_other_gateways_are_added_to_the_one_stream(control_plane: ControlPlane) -> None:
    owner = control_plane.owner
    one, two = owner.gateway("one"), owner.gateway("two")
    client = control_plane.as_gateway(one["token"])
    with client.stream("GET", "/api/gateway/events") as answer:
        told = events(answer)
        stream = next(told)[1]["stream"]
        next(told)
        unknown = new_gateway_token()
        added = control_plane.as_gateway(one["token"]).post(
            f"/api/gateway/events/{stream}", json={"tokens": [two["token"], unknown]}
        )
        assert added.json() == {
            "gateways": {token_digest(two["token"]).hex(): two["id"]},
            "unknown": [token_digest(unknown).hex()],
        }
        owner.put("/api/v1/gateways/two", {"document": document("two") + "# more\n"})
        assert next(told) == ("config", {"gateway": two["id"]})


def test_stream_that_ended_takes_no_more(control_plane: ControlPlane) -> None:
    client = control_plane.as_gateway(control_plane.owner.gateway()["token"])
    assert client.post("/api/gateway/events/st_none", json={"tokens": []}).status_code == 404


def test_two_processes_tell_each_other(
    control_plane: ControlPlane, settings: Settings, serve: Callable[..., ControlPlane]
) -> None:
    if settings.dialect == "sqlite":
        return  # one process only: the embedded database
    owner = control_plane.owner
    one, two = owner.gateway("one"), owner.gateway("two")
    other = serve(settings)
    client = other.as_gateway(one["token"])
    with client.stream("GET", "/api/gateway/events") as answer:
        told = events(answer)
        stream = next(told)[1]["stream"]
        next(told)
        added = control_plane.as_gateway(one["token"]).post(
            f"/api/gateway/events/{stream}", json={"tokens": [two["token"]]}
        )
        assert added.status_code == 200
        owner.put("/api/v1/gateways/two", {"document": document("two") + "# more\n"})
        assert next(told) == ("config", {"gateway": two["id"]})
        owner.post("/api/v1/kill-switches", {"scope": "org", "reason": "drill"})
        assert next(told)[0] == "kill_switch"
