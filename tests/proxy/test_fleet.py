"""A proxy follows the control plane: it learns, hears, asks, keeps, and forgets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tameflare_core.tokens import new_gateway_token
from tameflare_dashboard.settings import Settings
from tests.dashboard.conftest import ControlPlane, serving
from tests.proxy.following import FollowingProxy
from tests.proxy.origin import Origin, Vendor
from tests.proxy.running import Client

SECRET = "ghp_REAL_SECRET_of_the_vault"
DEADLINE = 15
READ = "/api/v3/repos/o/r"
MERGE = "/api/v3/repos/o/r/pulls/1/merge"


def until[Result](condition: Callable[[], Result], what: str = "") -> Result:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, what or "it never happened"
        time.sleep(0.01)


class Setting:
    """A control plane that can go away and come back, a proxy, and an upstream."""

    def __init__(self, stack: ExitStack, tmp_path: Path, origin: Origin, vendor: Vendor) -> None:
        self.stack = stack
        self.folder = tmp_path
        self.origin = origin
        self.vendor = vendor
        keys = tmp_path / "keys"
        keys.mkdir(mode=0o700)
        self.settings = Settings(database_url=f"sqlite:///{tmp_path / 'cp.db'}", folder=keys)
        self.port = 0
        self._plane: ExitStack | None = None

    def start_plane(self) -> ControlPlane:
        self._plane = ExitStack()
        self.plane = self._plane.enter_context(serving(self.settings, port=self.port))
        self.port = int(self.plane.url.rpartition(":")[2])
        self.stack.callback(self.stop_plane)
        return self.plane

    def stop_plane(self) -> None:
        plane, self._plane = self._plane, None
        if plane is not None:
            plane.close()

    def proxy(self, **options: Any) -> FollowingProxy:
        url = f"http://127.0.0.1:{self.port}"
        folder = self.folder / "proxy"
        folder.mkdir(exist_ok=True)
        return FollowingProxy(url, folder, **options)

    def document(self, name: str = "agent", read: str = "allow") -> str:
        return json.dumps(
            {
                "version": 1,
                "gateway": name,
                "connectors": [
                    {
                        "type": "github",
                        "base_url": f"https://localhost:{self.origin.port}/api/v3",
                        "credential": "vault:gh",
                        "allow_private_network": True,
                        "ca_file": str(self.vendor.ca_file),
                    }
                ],
                "permissions": [
                    {
                        "connector": "github",
                        "action": "github.*",
                        "access": "read",
                        "decision": read,
                    },
                    {"connector": "github", "action": "github.*", "decision": "require_approval"},
                ],
            }
        )

    def gateway(self, name: str = "agent") -> str:
        owner = self.plane.owner
        owner.put("/api/v1/credentials/gh", {"value": SECRET})
        return str(owner.gateway(text=self.document(name))["token"])

    def change(self, read: str) -> None:
        answer = self.plane.owner.put(
            "/api/v1/gateways/agent", {"document": self.document(read=read)}
        )
        assert answer.status_code == 200, answer.text

    def tunnel(self, proxy: FollowingProxy, token: str) -> Client:
        client = self.stack.enter_context(Client(proxy))  # type: ignore[arg-type]
        got = client.connect(f"localhost:{self.origin.port}", token=token)
        assert got.status == 200, got.body
        client.start_tls()
        return client

    def refused(self, proxy: FollowingProxy, token: str) -> int:
        """The status that CONNECT is refused with."""
        with Client(proxy) as client:  # type: ignore[arg-type]
            return client.connect(f"localhost:{self.origin.port}", token=token).status

    def on(self, client: Client, method: str = "GET", path: str = READ) -> Any:
        client.send(
            f"{method} {path} HTTP/1.1\r\nHost: localhost:{self.origin.port}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        return client.got(method)

    def send(self, proxy: FollowingProxy, token: str, method: str = "GET", path: str = READ) -> Any:
        client = self.tunnel(proxy, token)
        try:
            return self.on(client, method, path)
        finally:
            client.close()

    def records(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.plane.owner.get(
            "/api/v1/traffic", params={"limit": 500}
        ).json()["items"]
        return items


@pytest.fixture
def setting(tmp_path: Path, origin: Origin, vendor: Vendor) -> Iterator[Setting]:
    with ExitStack() as stack:
        yield Setting(stack, tmp_path, origin, vendor)


def test_gateway_is_learned_when_its_token_is_presented(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        assert setting.refused(proxy, new_gateway_token()) == 407
        assert setting.refused(proxy, "nonsense") == 407
        got = setting.send(proxy, token)
        assert got.status == 200
        (request,) = setting.origin.requests
        assert dict(request.headers)["authorization"] == f"Bearer {SECRET}"
        (record,) = until(setting.records)
        assert (record["gateway"], record["outcome"]) == ("agent", "forwarded")
        assert record["id"] == got.headers.get("x-tameflare-request-id", record["id"])


def test_change_is_in_force_on_open_connections(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        setting.change(read="deny")
        until(lambda: setting.on(client).status == 403)
        setting.change(read="allow")
        until(lambda: setting.on(client).status == 200)


def test_poll_covers_a_stream_that_tells_nothing(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy(poll=0.2) as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        # The stream stays open, and nothing comes on it any more.
        setting.plane.app.state.dispatch._by_gateway.clear()
        setting.change(read="deny")
        until(lambda: setting.on(client).status == 403)


def test_silence_ends_the_stream_and_it_comes_again(setting: Setting) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    with setting.proxy(silence=0.4) as proxy:
        setting.send(proxy, token)
        until(lambda: proxy.status()["streaming"])
        first = set(plane.app.state.dispatch._streams)
        until(lambda: set(plane.app.state.dispatch._streams) - first)


def test_token_that_is_revoked_ends_its_connections(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    owner = setting.plane.owner
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        (kept,) = owner.get("/api/v1/gateways/agent").json()["tokens"]
        assert owner.delete(f"/api/v1/gateways/agent/tokens/{kept['id']}").status_code == 204
        assert client.ended()
        assert setting.refused(proxy, token) == 407
        assert len(setting.origin.requests) == 1
    assert list((setting.folder / "proxy" / "configs").glob("*")) == []


def test_never_reached_and_nothing_kept_is_refused(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    setting.stop_plane()
    with setting.proxy() as proxy:
        assert setting.refused(proxy, token) == 503
        assert setting.origin.requests == []
        setting.start_plane()
        until(lambda: setting.refused(proxy, token) == 200)


def test_last_config_stands_across_a_restart_without_the_control_plane(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        assert setting.send(proxy, token).status == 200
    setting.stop_plane()
    for file in (setting.folder / "proxy" / "configs").glob("*"):
        assert SECRET.encode() not in file.read_bytes()
        assert b"connectors" not in file.read_bytes()
        assert token.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
    with setting.proxy() as proxy:
        assert setting.send(proxy, token).status == 200
        assert setting.refused(proxy, new_gateway_token()) == 503
        status = proxy.status()
        assert status["reachable"] is False
        assert status["gateways"][0]["from_cache"] is True
        # What needs an approval is refused: nobody can be asked.
        assert setting.send(proxy, token, "PUT", MERGE).status == 403


def test_records_wait_on_disk_and_none_is_lost_or_doubled(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        assert setting.send(proxy, token).status == 200
        until(lambda: len(setting.records()) == 1)
        setting.stop_plane()
        for _ in range(5):
            assert setting.send(proxy, token).status == 200
        until(lambda: proxy.status()["reachable"] is False)
        assert proxy.status()["unsent_records"] == 5
        setting.start_plane()
        until(lambda: proxy.status()["unsent_records"] == 0)
        for _ in range(2):
            assert setting.send(proxy, token).status == 200
        until(lambda: proxy.status()["unsent_records"] == 0)
    setting.plane.__dict__["owner"] = login(setting.plane)
    ids = [record["id"] for record in setting.records()]
    assert len(ids) == len(set(ids)) == 8


def login(plane: ControlPlane) -> Any:
    from tests.dashboard.conftest import PASSWORD, User

    client = plane.client()
    answer = client.post(
        "/api/v1/session", json={"email": "owner@example.com", "password": PASSWORD}
    )
    return User(client, "owner@example.com", answer.json()["csrf"])


def test_records_of_a_process_that_died_are_sent_by_the_next(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        assert setting.send(proxy, token).status == 200
        until(lambda: len(setting.records()) == 1)
        setting.stop_plane()
        for _ in range(3):
            assert setting.send(proxy, token).status == 200
    assert len(list((setting.folder / "proxy" / "spool").glob("*/*.jsonl"))) == 1
    setting.start_plane()
    setting.plane.__dict__["owner"] = login(setting.plane)
    with setting.proxy() as proxy:
        assert setting.send(proxy, token).status == 200
        until(lambda: len(setting.records()) == 5)
        until(lambda: proxy.status()["unsent_records"] == 0)
    assert list((setting.folder / "proxy" / "spool").glob("*/*.jsonl")) == []


def test_full_spool_lets_nothing_leave(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy(max_bytes=1) as proxy:
        assert setting.send(proxy, token).status == 200
        until(lambda: len(setting.records()) == 1)
        setting.stop_plane()
        assert setting.send(proxy, token).status == 200
        got = setting.send(proxy, token)
        assert got.status == 403
        assert len(setting.origin.requests) == 2


def test_approval_is_asked_and_answered_at_the_control_plane(setting: Setting) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        for verb, status in (("approve", 200), ("deny", 403)):
            answers: list[Any] = []
            asking = threading.Thread(
                target=lambda: answers.append(setting.on(client, "PUT", MERGE))  # noqa: B023
            )
            asking.start()
            (asked,) = until(
                lambda: plane.owner.get("/api/v1/approvals", params={"state": "pending"}).json()[
                    "items"
                ]
            )
            assert asked["actions"][0]["name"] == "github.pr.merge"
            assert len(setting.origin.requests) == 1
            answered = plane.owner.post(f"/api/v1/approvals/{asked['id']}/{verb}", {"note": "so"})
            assert answered.status_code == 200
            asking.join(DEADLINE)
            assert answers[0].status == status
            if verb == "deny":
                assert "so" in answers[0].problem["detail"]
                break
            assert len(setting.origin.requests) == 2
            setting.origin.requests.pop()


def test_answer_that_nobody_pushed_is_asked_for(setting: Setting) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(setting.on(client, "PUT", MERGE)))
        asking.start()
        (asked,) = until(
            lambda: plane.owner.get("/api/v1/approvals", params={"state": "pending"}).json()[
                "items"
            ]
        )
        cookies = dict(plane.owner.client.cookies)
        setting.stop_plane()
        until(lambda: not proxy.status()["streaming"])
        plane = setting.start_plane()
        owner = login(plane)
        assert cookies
        assert owner.post(f"/api/v1/approvals/{asked['id']}/approve").status_code == 200
        asking.join(DEADLINE)
        assert answers[0].status == 200


def test_client_that_went_away_takes_its_question_along(setting: Setting) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        client.send(
            f"PUT {MERGE} HTTP/1.1\r\nHost: localhost:{setting.origin.port}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        (asked,) = until(
            lambda: plane.owner.get("/api/v1/approvals", params={"state": "pending"}).json()[
                "items"
            ]
        )
        client.close()
        path = f"/api/v1/approvals/{asked['id']}"
        until(lambda: plane.owner.get(path).json()["state"] == "cancelled")
        assert plane.owner.post(f"{path}/approve").status_code == 409
        assert setting.origin.requests == []


def test_kill_switch_stops_at_once_and_unkill_starts_again(setting: Setting) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        held = setting.tunnel(proxy, token)
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(setting.on(held, "PUT", MERGE)))
        asking.start()
        (asked,) = until(
            lambda: plane.owner.get("/api/v1/approvals", params={"state": "pending"}).json()[
                "items"
            ]
        )
        since = time.monotonic()
        switch = plane.owner.post("/api/v1/kill-switches", {"scope": "org", "reason": "drill"})
        assert switch.status_code == 201
        asking.join(DEADLINE)
        assert time.monotonic() - since < 1
        assert answers[0].status == 403
        assert answers[0].headers["x-tameflare-kill-switch"] == "active"
        assert setting.on(client).headers["x-tameflare-kill-switch"] == "active"
        state = plane.owner.get(f"/api/v1/approvals/{asked['id']}").json()
        assert (state["state"], state["by"]) == ("killed", "owner@example.com")
        assert plane.owner.delete(f"/api/v1/kill-switches/{switch.json()['id']}").status_code == 204
        until(lambda: setting.on(client).status == 200)


def test_kill_switch_cuts_what_is_under_way(setting: Setting) -> None:
    plane = setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        until(lambda: proxy.status()["streaming"])
        setting.origin.handle = lambda request: None
        client.send(
            f"GET {READ} HTTP/1.1\r\nHost: localhost:{setting.origin.port}\r\n\r\n".encode()
        )
        until(lambda: len(setting.origin.requests) == 2)
        since = time.monotonic()
        kill = {"scope": "connector:github", "reason": "drill"}
        assert plane.owner.post("/api/v1/kill-switches", kill).status_code == 201
        assert client.ended()
        assert time.monotonic() - since < 1
        until(lambda: any(record["outcome"] == "killed" for record in setting.records()))


def test_document_that_does_not_load_here_changes_nothing(setting: Setting) -> None:
    setting.start_plane()
    token = setting.gateway()
    with setting.proxy() as proxy:
        client = setting.tunnel(proxy, token)
        assert setting.on(client).status == 200
        elsewhere = setting.document(read="deny").replace(str(setting.vendor.ca_file), "/none.pem")
        answer = setting.plane.owner.put("/api/v1/gateways/agent", {"document": elsewhere})
        assert answer.status_code == 200
        until(lambda: "none.pem" in proxy.status()["gateways"][0]["problem"])
        assert setting.on(client).status == 200


def test_document_names_no_secret_of_the_gateways_machine(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.start_plane()
    monkeypatch.setenv("OF_THIS_MACHINE", SECRET)
    token = setting.gateway()
    named = setting.document().replace("vault:gh", "env:OF_THIS_MACHINE")
    setting.plane.owner.put("/api/v1/gateways/agent", {"document": named})
    with setting.proxy() as proxy:
        got = setting.send(proxy, token)
        assert got.status == 502
        assert "local-credentials" in got.body.decode()
        assert setting.origin.requests == []
    with setting.proxy(local_credentials=True) as proxy:
        assert setting.send(proxy, token).status == 200


def test_many_gateways_share_one_stream(setting: Setting) -> None:
    plane = setting.start_plane()
    tokens = {f"agent-{n}": setting.gateway(f"agent-{n}") for n in range(20)}
    with setting.proxy() as proxy:
        for token in tokens.values():
            assert setting.send(proxy, token).status == 200
        assert len(proxy.status()["gateways"]) == 20
        until(lambda: len(plane.app.state.dispatch._by_gateway) == 20)
        assert len(plane.app.state.dispatch._streams) == 1
        denied = setting.document("agent-7", read="deny")
        plane.owner.put("/api/v1/gateways/agent-7", {"document": denied})
        until(lambda: setting.send(proxy, tokens["agent-7"]).status == 403)
        assert setting.send(proxy, tokens["agent-8"]).status == 200
