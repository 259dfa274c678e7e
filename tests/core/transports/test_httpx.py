"""The synchronous transport, over real TLS to a stand-in upstream."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.errors import ApprovalUnavailable
from tameflare_core.record import TrafficRecord
from tameflare_core.testing import MemoryRecorder, ScriptedApprover
from tameflare_core.transports.httpx import EnforcingTransport
from tests.core.transports.conftest import SECRET
from tests.standin import (
    Authority,
    Received,
    Reply,
    Standin,
    as_json,
    event_stream,
    redirect,
    wait_until,
)

MAX_INSPECTED = 1024 * 1024


@pytest.fixture
def recorder() -> MemoryRecorder:
    return MemoryRecorder()


@pytest.fixture
def client(configuration: Path, recorder: MemoryRecorder) -> Iterator[httpx.Client]:
    transport = EnforcingTransport.from_file(configuration, recorder=recorder)
    with httpx.Client(transport=transport) as client:
        yield client


def problem(response: httpx.Response) -> dict[str, object]:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-tameflare-request-id"]
    document: dict[str, object] = response.json()
    return document


def test_allowed_request_carries_the_credential(
    client: httpx.Client, standin: Standin, recorder: MemoryRecorder
) -> None:
    response = client.get(
        standin.url + "/a%2Db?q=%20x", headers={"Authorization": "Bearer tf_placeholder"}
    )
    assert response.status_code == 200
    assert standin.last.header("authorization") == f"Bearer {SECRET}"
    assert (standin.last.method, standin.last.target) == ("GET", "/a-b?q=%20x")
    assert standin.last.header("host") == f"localhost:{standin.port}"
    assert recorder.records[0].outcome == "forwarded"


def test_caller_never_sees_the_credential(client: httpx.Client, standin: Standin) -> None:
    standin.answer("GET", "/", as_json({}))
    seen: list[str] = []
    response = client.get(
        standin.url, extensions={"trace": lambda name, info: seen.append(repr(info))}
    )
    assert "authorization" not in response.request.headers
    assert seen == []
    assert standin.last.header("authorization") == f"Bearer {SECRET}"


def test_denied_request_never_leaves(
    client: httpx.Client, standin: Standin, recorder: MemoryRecorder
) -> None:
    response = client.delete(standin.url + "/repos/r")
    assert response.status_code == 403
    assert problem(response)["action"] == "upstream.repo.delete"
    assert response.request.method == "DELETE"
    assert (standin.connections, standin.bytes_received) == (0, 0)
    assert recorder.records[0].outcome == "denied"


def test_destination_without_connector_never_resolves(client: httpx.Client) -> None:
    response = client.get("https://evil.invalid/")
    assert response.status_code == 403
    assert "no connector owns https://evil.invalid" in str(problem(response)["detail"])


@pytest.mark.parametrize(
    "path", ["/x/%2e%2e/repos/r", "//repos/r", "/repos%2Fr", "/repos/r%00", "/a\\b"]
)
def test_ambiguous_path_never_leaves(client: httpx.Client, standin: Standin, path: str) -> None:
    url = httpx.URL(standin.url).copy_with(raw_path=path.encode())
    assert client.delete(url).status_code == 400
    assert standin.bytes_received == 0


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:1", "localhost@evil.example", ""]
)
def test_host_header_that_differs_never_leaves(
    client: httpx.Client, standin: Standin, host: str
) -> None:
    response = client.get(standin.url, headers={"Host": host})
    assert response.status_code == 400
    assert standin.bytes_received == 0


def test_target_extension_is_what_is_judged(client: httpx.Client, standin: Standin) -> None:
    response = client.delete(standin.url, extensions={"target": b"/repos/r"})
    assert problem(response)["action"] == "upstream.repo.delete"
    response = client.get(standin.url, extensions={"target": b"https://evil.example/"})
    assert response.status_code == 400
    assert standin.bytes_received == 0


def test_server_name_extension_that_differs_never_leaves(
    client: httpx.Client, standin: Standin
) -> None:
    response = client.get(standin.url, extensions={"sni_hostname": "evil.example"})
    assert response.status_code == 400
    assert client.get(standin.url, extensions={"sni_hostname": "localhost"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("content-length", "4"), ("transfer-encoding", "chunked")],
        [("content-length", "4"), ("content-length", "5")],
        [("content-length", "+4")],
        [("content-length", "5")],
        [("transfer-encoding", "xchunked")],
        [("transfer-encoding", "gzip, chunked")],
    ],
    ids=repr,
)
def test_contradictory_framing_never_leaves(
    client: httpx.Client, standin: Standin, headers: list[tuple[str, str]]
) -> None:
    response = client.post(standin.url, content=b"body", headers=headers)
    assert response.status_code == 400
    assert standin.bytes_received == 0


def test_hop_by_hop_and_own_headers_stay_here(client: httpx.Client, standin: Standin) -> None:
    client.get(
        standin.url,
        headers={
            "Connection": "authorization, x-hop",
            "X-Hop": "1",
            "Proxy-Authorization": "Bearer gwtk_x",
            "X-TameFlare-Approval": "apv_x",
            "X-Kept": "1",
        },
    )
    names = {name.lower() for name, _ in standin.last.headers}
    assert names.isdisjoint({"connection", "x-hop", "proxy-authorization", "x-tameflare-approval"})
    assert "x-kept" in names
    assert standin.last.header("authorization") == f"Bearer {SECRET}"


def test_redirect_to_another_host_gets_no_credential(
    client: httpx.Client, standin: Standin, recorder: MemoryRecorder
) -> None:
    elsewhere = f"https://127.0.0.1:{standin.port}"
    standin.answer("GET", "/away", redirect(f"{elsewhere}/landed"))
    response = client.get(standin.url + "/away", follow_redirects=True)
    assert response.status_code == 200
    assert [request.target for request in standin.requests] == ["/away", "/landed"]
    assert standin.requests[0].header("authorization") == f"Bearer {SECRET}"
    assert standin.requests[1].header("authorization") is None
    verdicts = [record.verdict for record in recorder.records]
    assert [verdict.connector for verdict in verdicts if verdict] == ["upstream", "other"]


def test_redirect_to_foreign_host_is_denied(client: httpx.Client, standin: Standin) -> None:
    standin.answer("GET", "/away", redirect("https://evil.invalid/"))
    response = client.get(standin.url + "/away", follow_redirects=True)
    assert response.status_code == 403
    assert str(response.url) == "https://evil.invalid/"


def test_redirect_to_denied_path_is_denied(client: httpx.Client, standin: Standin) -> None:
    standin.answer("DELETE", "/alias", redirect("/repos/r", status=307))
    response = client.delete(standin.url + "/alias", follow_redirects=True)
    assert response.status_code == 403
    assert [request.target for request in standin.requests] == ["/alias"]


def test_redirected_post_is_judged_anew(client: httpx.Client, standin: Standin) -> None:
    elsewhere = f"https://127.0.0.1:{standin.port}/landed"
    standin.answer("POST", "/away", redirect(elsewhere, status=307))
    response = client.post(standin.url + "/away", content=b"payload", follow_redirects=True)
    assert problem(response)["action"] == "http.post"
    assert [request.target for request in standin.requests] == ["/away"]


def test_streamed_body_passes_unread(client: httpx.Client, standin: Standin) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x" * MAX_INSPECTED
        # The second part is made only when the first has arrived: nothing waits for the whole.
        wait_until(lambda: standin.bytes_received > MAX_INSPECTED)
        yield b"y" * MAX_INSPECTED

    response = client.put(standin.url + "/upload", content=parts())
    assert response.status_code == 200
    assert len(standin.last.body) == 2 * MAX_INSPECTED
    assert standin.last.header("transfer-encoding") == "chunked"


def test_streamed_body_keeps_its_length(client: httpx.Client, standin: Standin) -> None:
    client.put(standin.url, content=iter([b"ab", b"cd"]), headers={"Content-Length": "4"})
    assert standin.last.header("content-length") == "4"
    assert standin.last.header("transfer-encoding") is None
    assert standin.last.body == b"abcd"


def test_streamed_body_that_is_read_is_sent_whole(client: httpx.Client, github: Standin) -> None:
    parts = [b'{"state":', b' "closed"}']
    client.patch(github.url + "/api/v3/repos/o/r/pulls/1", content=iter(parts))
    assert github.last.body == b"".join(parts)
    assert github.last.header("content-length") == "19"
    assert github.last.header("transfer-encoding") is None


def test_streamed_body_is_judged_by_what_it_says(
    client: httpx.Client, github: Standin, recorder: MemoryRecorder
) -> None:
    client.patch(
        github.url + "/api/v3/repos/o/r/pulls/1", content=iter([b'{"state":', b' "closed"}'])
    )
    assert names_of(recorder.records[0]) == ["github.pr.close"]


@pytest.mark.parametrize("streamed", [True, False])
def test_large_push_is_judged_by_its_beginning(
    client: httpx.Client, github: Standin, recorder: MemoryRecorder, streamed: bool
) -> None:
    line = b"%b %b refs/heads/main\0 report-status" % (b"1" * 40, b"2" * 40)
    parts = [b"%04x%b0000" % (len(line) + 4, line), b"x" * MAX_INSPECTED, b"the rest"]
    client.post(
        github.url + "/o/r.git/git-receive-pack",
        content=iter(parts) if streamed else b"".join(parts),
        headers={"Content-Type": "application/x-git-receive-pack-request"},
    )
    assert names_of(recorder.records[0]) == ["github.git.push"]
    assert github.last.body == b"".join(parts)


@pytest.mark.parametrize("streamed", [True, False])
def test_body_over_the_limit_is_opaque_and_sent_whole(
    client: httpx.Client, github: Standin, recorder: MemoryRecorder, streamed: bool
) -> None:
    parts = [b'{"title": "', b"x" * MAX_INSPECTED, b'", "state":', b' "closed"}']
    client.patch(
        github.url + "/api/v3/repos/o/r/pulls/1",
        content=iter(parts) if streamed else b"".join(parts),
    )
    assert names_of(recorder.records[0]) == ["github.opaque.patch"]
    assert github.last.body == b"".join(parts)


def names_of(record: TrafficRecord) -> list[str]:
    assert record.verdict is not None
    return [action.name for action in record.verdict.actions]


def test_multipart_upload_arrives_whole(client: httpx.Client, standin: Standin) -> None:
    client.post(standin.url, files={"file": ("a.txt", b"content")}, data={"k": "v"})
    assert b"content" in standin.last.body
    assert int(standin.last.header("content-length") or 0) == len(standin.last.body)


def test_empty_post_says_that_it_is_empty(client: httpx.Client, standin: Standin) -> None:
    client.post(standin.url)
    assert standin.last.header("content-length") == "0"
    client.get(standin.url)
    assert standin.last.header("content-length") is None


def test_failing_body_is_the_callers_own_error(
    client: httpx.Client, standin: Standin, recorder: MemoryRecorder
) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x"
        raise LookupError("the caller's")

    with pytest.raises(LookupError, match="the caller's"):
        client.put(standin.url, content=parts())
    assert recorder.records[0].outcome == "abandoned"


def test_failing_body_that_is_read_is_the_callers_own_error(
    client: httpx.Client, github: Standin, recorder: MemoryRecorder
) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x"
        raise LookupError("the caller's")

    with pytest.raises(LookupError, match="the caller's"):
        client.patch(github.url + "/api/v3/repos/o/r/pulls/1", content=parts())
    assert github.bytes_received == 0
    assert recorder.records[0].outcome == "abandoned"


def test_held_request_leaves_once_it_is_approved(
    configuration: Path, standin: Standin, recorder: MemoryRecorder
) -> None:
    approver = ScriptedApprover(Answer(state=ApprovalState.APPROVED, by="owner"))
    transport = EnforcingTransport.from_file(configuration, approver=approver, recorder=recorder)
    with httpx.Client(transport=transport) as client:
        assert client.put(standin.url + "/merge", content=b"{}").status_code == 200
    (approval,) = approver.asked
    assert approval.request.body.data == b"{}"
    assert standin.last.body == b"{}"
    assert standin.last.header("authorization") == f"Bearer {SECRET}"
    assert recorder.records[0].approval_state is ApprovalState.APPROVED


@pytest.mark.parametrize(
    ("state", "status"), [(ApprovalState.DENIED, 403), (ApprovalState.EXPIRED, 408)]
)
def test_held_request_that_is_not_approved_never_leaves(
    configuration: Path, standin: Standin, state: ApprovalState, status: int
) -> None:
    transport = EnforcingTransport.from_file(
        configuration, approver=ScriptedApprover(Answer(state=state)), recorder=MemoryRecorder()
    )
    with httpx.Client(transport=transport) as client:
        assert client.put(standin.url + "/merge").status_code == status
    assert standin.bytes_received == 0


def test_default_approver_says_how_to_pass_one(client: httpx.Client, standin: Standin) -> None:
    response = client.put(standin.url + "/merge")
    assert response.status_code == 403
    assert "pass `approver=` to the transport" in str(problem(response)["detail"])
    assert standin.bytes_received == 0


def test_interrupt_while_held_withdraws_the_question(
    configuration: Path, standin: Standin, recorder: MemoryRecorder
) -> None:
    class Interrupted(ScriptedApprover):
        def wait(self, approval: Approval) -> Answer:
            raise KeyboardInterrupt

    approver = Interrupted()
    transport = EnforcingTransport.from_file(configuration, approver=approver, recorder=recorder)
    with httpx.Client(transport=transport) as client, pytest.raises(KeyboardInterrupt):
        client.put(standin.url + "/merge")
    assert approver.withdrawn == approver.asked
    assert recorder.records[0].outcome == "cancelled"
    assert standin.bytes_received == 0


def test_approver_that_fails_is_a_refusal(configuration: Path, standin: Standin) -> None:
    class Failing(ScriptedApprover):
        def wait(self, approval: Approval) -> Answer:
            raise ApprovalUnavailable("the control plane is gone")

    transport = EnforcingTransport.from_file(
        configuration, approver=Failing(), recorder=MemoryRecorder()
    )
    with httpx.Client(transport=transport) as client:
        assert client.put(standin.url + "/merge").status_code == 403
    assert standin.bytes_received == 0


def test_missing_credential_sends_nothing(
    client: httpx.Client, configuration: Path, standin: Standin
) -> None:
    (configuration.parent / "token").unlink()
    response = client.get(standin.url)
    assert (response.status_code, problem(response)["title"]) == (502, "Credential unavailable")
    assert standin.bytes_received == 0


class BrokenRecorder(MemoryRecorder):
    """A recorder that has broken before or after a request has left."""

    def __init__(self, breaks: str) -> None:
        super().__init__()
        self._breaks = breaks

    def prepare(self) -> None:
        if self._breaks == "prepare":
            raise OSError("disk full")

    def record(self, record: TrafficRecord) -> None:
        if self._breaks == "record":
            raise OSError("disk full")
        super().record(record)


def test_recorder_that_cannot_record_sends_nothing(configuration: Path, standin: Standin) -> None:
    transport = EnforcingTransport.from_file(configuration, recorder=BrokenRecorder("prepare"))
    with httpx.Client(transport=transport) as client:
        assert client.get(standin.url).status_code == 403
    assert standin.bytes_received == 0


def test_recorder_that_breaks_withholds_the_answer(configuration: Path, standin: Standin) -> None:
    standin.answer("GET", "/", lambda _: event_stream(iter(lambda: b"data: x\n\n", b"")))
    transport = EnforcingTransport.from_file(configuration, recorder=BrokenRecorder("record"))
    with httpx.Client(transport=transport) as client:
        with pytest.raises(OSError, match="disk full"), client.stream("GET", standin.url):
            pass
        # The answer that nobody gets must not keep its connection.
        wait_until(lambda: standin.connected == 0)


def test_default_recorder_is_the_traffic_log(
    configuration: Path, standin: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with httpx.Client(transport=EnforcingTransport.from_file(configuration)) as client:
        client.get(standin.url + "/seen?token=hidden")
    (log,) = tmp_path.rglob("traffic.jsonl")
    document = json.loads(log.read_text())
    assert (document["path"], document["outcome"]) == ("/seen", "forwarded")


def test_events_arrive_one_by_one(client: httpx.Client, standin: Standin) -> None:
    go_on = threading.Semaphore(0)

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            yield f"data: {number}\n\n".encode()
            assert go_on.acquire(timeout=10)

    standin.answer("GET", "/events", event_stream(chunks()))
    with client.stream("GET", standin.url + "/events") as response:
        seen = []
        for line in response.iter_lines():
            if line:
                seen.append(line)
                go_on.release()
    assert seen == ["data: 0", "data: 1", "data: 2"]


def test_closed_stream_frees_its_connection(client: httpx.Client, standin: Standin) -> None:
    standin.answer("GET", "/endless", lambda _: event_stream(iter(lambda: b"data: x\n\n", b"")))
    for _ in range(3):
        with client.stream("GET", standin.url + "/endless") as response:
            next(response.iter_bytes())
    assert client.get(standin.url).status_code == 200


def test_connection_is_used_again(client: httpx.Client, standin: Standin) -> None:
    for _ in range(5):
        client.get(standin.url)
    assert standin.connections == 1


def test_compressed_answer_is_decoded(client: httpx.Client, standin: Standin) -> None:
    standin.answer(
        "GET", "/", Reply(200, [("content-encoding", "gzip")], gzip.compress(b"the answer"))
    )
    assert client.get(standin.url).text == "the answer"


def test_answer_cannot_pass_for_ours(client: httpx.Client, standin: Standin) -> None:
    forged = [("X-TameFlare-Request-Id", "forged"), ("X-Other", "kept")]
    standin.answer("GET", "/", Reply(200, forged))
    response = client.get(standin.url)
    assert "x-tameflare-request-id" not in response.headers
    assert response.headers["x-other"] == "kept"


def test_raw_connection_is_given_away_only_when_it_left_http(
    client: httpx.Client, standin: Standin
) -> None:
    assert "network_stream" not in client.get(standin.url).extensions
    upgrade = [("upgrade", "websocket"), ("connection", "Upgrade")]
    standin.answer("GET", "/socket", Reply(101, upgrade))
    with client.stream("GET", standin.url + "/socket", headers=upgrade) as response:
        assert response.status_code == 101
        assert "network_stream" in response.extensions


def test_answer_cut_off_is_httpx_own_error(client: httpx.Client, standin: Standin) -> None:
    def cut_off(request: Received) -> Reply:
        def chunks() -> Iterator[bytes]:
            yield b"half"
            raise ConnectionResetError

        return Reply(200, [], chunks())

    standin.answer("GET", "/", cut_off)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(standin.url)


def test_answer_that_stalls_is_httpx_own_error(client: httpx.Client, standin: Standin) -> None:
    go_on = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"half"
        go_on.wait(timeout=10)

    standin.answer("GET", "/", Reply(200, [], chunks()))
    with pytest.raises(httpx.ReadTimeout):
        client.get(standin.url, timeout=0.2)
    go_on.set()


def test_missing_answer_is_a_bad_gateway(
    client: httpx.Client, standin: Standin, recorder: MemoryRecorder
) -> None:
    go_on = threading.Event()

    def never(request: Received) -> Reply:
        go_on.wait(timeout=10)
        return Reply()

    standin.answer("GET", "/", never)
    response = client.get(standin.url, timeout=0.2)
    go_on.set()
    assert response.status_code == 502
    assert "gave no answer" in str(problem(response)["detail"])
    assert recorder.records[0].outcome == "failed"


def test_closed_port_is_a_bad_gateway(configure: Callable[..., Path]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        transport = EnforcingTransport.from_file(configure(port=port), recorder=MemoryRecorder())
        with httpx.Client(transport=transport) as client:
            response = client.get(f"https://localhost:{port}/")
    assert response.status_code == 502
    detail = str(problem(response)["detail"])
    assert "refused" in detail
    assert detail.endswith("nothing was sent")


def test_unknown_authority_is_a_bad_gateway(
    configure: Callable[..., Path], standin: Standin, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = configure(ca_file=Authority(elsewhere).ca_file)
    transport = EnforcingTransport.from_file(path, recorder=MemoryRecorder())
    with httpx.Client(transport=transport) as client:
        response = client.get(standin.url)
    assert response.status_code == 502
    assert "certificate verify failed" in str(problem(response)["detail"])
    assert standin.bytes_received == 0


def test_certificate_of_another_host_is_a_bad_gateway(
    configure: Callable[..., Path], start_standin: Callable[..., Standin]
) -> None:
    impostor = start_standin(["other.example"])
    transport = EnforcingTransport.from_file(
        configure(port=impostor.port), recorder=MemoryRecorder()
    )
    with httpx.Client(transport=transport) as client:
        response = client.get(impostor.url)
    assert response.status_code == 502
    assert "Hostname mismatch" in str(problem(response)["detail"])
    assert impostor.bytes_received == 0


def test_damaged_ca_file_is_a_bad_gateway(
    configure: Callable[..., Path], standin: Standin, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("not a certificate")
    transport = EnforcingTransport.from_file(configure(ca_file=damaged), recorder=MemoryRecorder())
    with httpx.Client(transport=transport) as client:
        response = client.get(standin.url)
    assert response.status_code == 502
    assert "damaged.pem" in str(problem(response)["detail"])
    assert standin.connections == 0


def test_private_address_is_refused_unless_it_is_allowed(
    configure: Callable[..., Path], standin: Standin
) -> None:
    transport = EnforcingTransport.from_file(configure(private="false"), recorder=MemoryRecorder())
    with httpx.Client(transport=transport) as client:
        response = client.get(standin.url)
    assert response.status_code == 502
    assert "`allow_private_network: true`" in str(problem(response)["detail"])
    assert standin.connections == 0


def test_monitor_level_still_guards_addresses(
    configure: Callable[..., Path], github: Standin
) -> None:
    transport = EnforcingTransport.from_file(
        configure(enforcement="monitor"), recorder=MemoryRecorder()
    )
    with httpx.Client(transport=transport) as client:
        # 127.0.0.1 with this port belongs to no connector: it passes the rules, and not the guard.
        response = client.get(f"https://127.0.0.1:{github.port}/")
    assert response.status_code == 502
    assert github.connections == 0


def test_proxy_from_the_environment_is_not_used(
    configuration: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    transport = EnforcingTransport.from_file(configuration, recorder=MemoryRecorder())
    with httpx.Client(transport=transport) as client:
        assert client.get(standin.url).status_code == 200


@pytest.mark.parametrize(("scheme", "status"), [("http", 403), ("ftp", 400), ("ws", 400)])
def test_other_scheme_never_leaves(
    client: httpx.Client, standin: Standin, scheme: str, status: int
) -> None:
    assert client.get(f"{scheme}://localhost:{standin.port}/").status_code == status
    assert standin.connections == 0


def test_closed_client_closes_its_connections(configuration: Path, standin: Standin) -> None:
    transport = EnforcingTransport.from_file(configuration, recorder=MemoryRecorder())
    for _ in range(2):
        with httpx.Client(transport=transport) as client:
            client.get(standin.url)
    assert standin.connections == 2
