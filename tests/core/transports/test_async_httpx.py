"""The asynchronous transport: what it shares with the other one, and what it has of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.approvals import AsyncApprover
from tameflare_core.errors import ApprovalUnavailable
from tameflare_core.record import TrafficRecord
from tameflare_core.testing import AsyncScriptedApprover, MemoryRecorder
from tameflare_core.transports.httpx import AsyncEnforcingTransport
from tests.core.transports.conftest import SECRET
from tests.standin import Received, Reply, Standin, event_stream, redirect, wait_until

MAX_INSPECTED = 1024 * 1024


def run[Result](
    configuration: Path,
    use: Callable[[httpx.AsyncClient], Awaitable[Result]],
    *,
    approver: AsyncApprover | None = None,
    recorder: MemoryRecorder | None = None,
) -> Result:
    """What `use` does with a client, in an event loop of its own."""

    async def within() -> Result:
        transport = AsyncEnforcingTransport.from_file(
            configuration, approver=approver, recorder=recorder or MemoryRecorder()
        )
        async with httpx.AsyncClient(transport=transport) as client:
            return await use(client)

    return asyncio.run(within())


async def in_parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_allowed_request_carries_the_credential(configuration: Path, standin: Standin) -> None:
    recorder = MemoryRecorder()
    response = run(configuration, lambda client: client.get(standin.url), recorder=recorder)
    assert response.status_code == 200
    assert standin.last.header("authorization") == f"Bearer {SECRET}"
    assert recorder.records[0].outcome == "forwarded"


def test_denied_request_never_leaves(configuration: Path, standin: Standin) -> None:
    response = run(configuration, lambda client: client.delete(standin.url + "/repos/r"))
    assert response.status_code == 403
    assert response.json()["action"] == "upstream.repo.delete"
    assert standin.connections == 0


def test_redirect_to_another_host_gets_no_credential(configuration: Path, standin: Standin) -> None:
    standin.answer("GET", "/away", redirect(f"https://127.0.0.1:{standin.port}/landed"))
    response = run(
        configuration, lambda client: client.get(standin.url + "/away", follow_redirects=True)
    )
    assert response.status_code == 200
    assert [r.header("authorization") for r in standin.requests] == [f"Bearer {SECRET}", None]


def test_streamed_body_that_is_read_is_sent_whole(configuration: Path, github: Standin) -> None:
    recorder = MemoryRecorder()
    run(
        configuration,
        lambda client: client.patch(
            github.url + "/api/v3/repos/o/r/pulls/1",
            content=in_parts(b'{"state":', b' "closed"}'),
        ),
        recorder=recorder,
    )
    assert github.last.body == b'{"state": "closed"}'
    assert github.last.header("content-length") == "19"
    verdict = recorder.records[0].verdict
    assert verdict is not None
    assert [action.name for action in verdict.actions] == ["github.pr.close"]


def test_large_push_is_judged_by_its_beginning(configuration: Path, github: Standin) -> None:
    recorder = MemoryRecorder()
    line = b"%b %b refs/heads/main\0 report-status" % (b"1" * 40, b"2" * 40)
    parts = [b"%04x%b0000" % (len(line) + 4, line), b"x" * MAX_INSPECTED, b"the rest"]
    run(
        configuration,
        lambda client: client.post(
            github.url + "/o/r.git/git-receive-pack",
            content=in_parts(*parts),
            headers={"Content-Type": "application/x-git-receive-pack-request"},
        ),
        recorder=recorder,
    )
    verdict = recorder.records[0].verdict
    assert verdict is not None
    assert [action.name for action in verdict.actions] == ["github.git.push"]
    assert github.last.body == b"".join(parts)


@pytest.mark.parametrize("path", ["/api/v3/repos/o/r/pulls/1", "/api/v3/user"])
def test_large_streamed_body_is_sent_whole(configuration: Path, github: Standin, path: str) -> None:
    parts = [b"x" * MAX_INSPECTED, b"y", b"z"]
    run(
        configuration,
        lambda client: client.patch(github.url + path, content=in_parts(*parts)),
    )
    assert github.last.body == b"".join(parts)
    assert github.last.header("transfer-encoding") == "chunked"


@pytest.mark.parametrize("path", ["/api/v3/repos/o/r/pulls/1", "/api/v3/user"])
def test_failing_body_is_the_callers_own_error(
    configuration: Path, github: Standin, path: str
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("the caller's")

    recorder = MemoryRecorder()
    with pytest.raises(LookupError, match="the caller's"):
        run(
            configuration,
            lambda client: client.patch(github.url + path, content=parts()),
            recorder=recorder,
        )
    assert recorder.records[0].outcome == "abandoned"


def test_held_request_leaves_once_it_is_approved(configuration: Path, standin: Standin) -> None:
    approver = AsyncScriptedApprover(Answer(state=ApprovalState.APPROVED))
    response = run(
        configuration, lambda client: client.put(standin.url + "/merge"), approver=approver
    )
    assert response.status_code == 200
    assert [approval.timeout for approval in approver.asked] == [30]


def test_default_approver_says_how_to_pass_one(configuration: Path, standin: Standin) -> None:
    response = run(configuration, lambda client: client.put(standin.url + "/merge"))
    assert response.status_code == 403
    assert "pass `approver=` to the transport" in response.json()["detail"]
    assert standin.connections == 0


class Patient(AsyncScriptedApprover):
    """An approver that never hears an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.holding = asyncio.Event()

    async def wait(self, approval: Approval) -> Answer:
        self.holding.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody answers")


@pytest.mark.parametrize("fails", [False, True])
def test_cancellation_while_held_withdraws_the_question(
    configuration: Path, standin: Standin, fails: bool
) -> None:
    class Withdrawn(Patient):
        async def withdraw(self, approval: Approval) -> None:
            await asyncio.sleep(0)
            await super().withdraw(approval)
            if fails:
                raise ApprovalUnavailable("the control plane is gone")

    approver, recorder = Withdrawn(), MemoryRecorder()

    async def cancelled(client: httpx.AsyncClient) -> bool:
        request = asyncio.ensure_future(client.put(standin.url + "/merge"))
        await asyncio.wait_for(approver.holding.wait(), 10)
        request.cancel()
        await asyncio.wait([request], timeout=10)
        return request.cancelled()

    assert run(configuration, cancelled, approver=approver, recorder=recorder)
    assert len(approver.asked) == 1
    assert approver.withdrawn == approver.asked
    assert [record.outcome for record in recorder.records] == ["cancelled"]
    assert standin.connections == 0


def test_cancelled_scope_withdraws_the_question(configuration: Path, standin: Standin) -> None:
    # Unlike a task's cancellation, that of a scope strikes again at every `await`.
    class Withdrawn(Patient):
        async def withdraw(self, approval: Approval) -> None:
            await anyio.lowlevel.checkpoint()
            await super().withdraw(approval)

    approver, recorder = Withdrawn(), MemoryRecorder()

    async def cancelled(client: httpx.AsyncClient) -> bool:
        async with anyio.create_task_group() as group:
            group.start_soon(client.put, standin.url + "/merge")
            await approver.holding.wait()
            group.cancel_scope.cancel()
        return group.cancel_scope.cancelled_caught

    assert run(configuration, cancelled, approver=approver, recorder=recorder)
    assert len(approver.withdrawn) == 1
    assert [record.outcome for record in recorder.records] == ["cancelled"]


def test_cancellation_while_forwarding_is_recorded(configuration: Path, standin: Standin) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def never(request: Received) -> Reply:
        arrived.set()
        go_on.wait(timeout=10)
        return Reply()

    standin.answer("GET", "/", never)
    recorder = MemoryRecorder()

    async def cancelled(client: httpx.AsyncClient) -> bool:
        request = asyncio.ensure_future(client.get(standin.url))
        assert await asyncio.to_thread(arrived.wait, 10)
        request.cancel()
        await asyncio.wait([request], timeout=10)
        return request.cancelled()

    assert run(configuration, cancelled, recorder=recorder)
    go_on.set()
    assert [record.outcome for record in recorder.records] == ["abandoned"]


def test_expired_question_is_withdrawn(configuration: Path, standin: Standin) -> None:
    configuration.write_text(configuration.read_text().replace("timeout: 30", "timeout: 0.05"))
    approver = Patient()
    response = run(
        configuration, lambda client: client.put(standin.url + "/merge"), approver=approver
    )
    assert response.status_code == 408
    assert response.headers["x-should-retry"] == "false"
    assert approver.withdrawn == approver.asked


def test_held_requests_do_not_stop_others(configuration: Path, standin: Standin) -> None:
    async def both(client: httpx.AsyncClient) -> int:
        held = asyncio.ensure_future(client.put(standin.url + "/merge"))
        await asyncio.wait_for(approver.holding.wait(), 10)
        other = await client.get(standin.url)
        held.cancel()
        await asyncio.wait([held], timeout=10)
        return other.status_code

    approver = Patient()
    assert run(configuration, both, approver=approver) == 200


def test_events_arrive_one_by_one(configuration: Path, standin: Standin) -> None:
    go_on = threading.Semaphore(0)

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            yield f"data: {number}\n\n".encode()
            assert go_on.acquire(timeout=10)

    async def read(client: httpx.AsyncClient) -> list[str]:
        seen = []
        async with client.stream("GET", standin.url + "/events") as response:
            async for line in response.aiter_lines():
                if line:
                    seen.append(line)
                    go_on.release()
        return seen

    standin.answer("GET", "/events", event_stream(chunks()))
    assert run(configuration, read) == ["data: 0", "data: 1", "data: 2"]


def test_answer_cut_off_is_httpx_own_error(configuration: Path, standin: Standin) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    standin.answer("GET", "/", event_stream(chunks()))
    with pytest.raises(httpx.RemoteProtocolError):
        run(configuration, lambda client: client.get(standin.url))


def test_recorder_that_breaks_withholds_the_answer(configuration: Path, standin: Standin) -> None:
    class Broken(MemoryRecorder):
        def record(self, record: TrafficRecord) -> None:
            raise OSError("disk full")

    async def use(client: httpx.AsyncClient) -> None:
        with pytest.raises(OSError, match="disk full"):
            async with client.stream("GET", standin.url):
                pass
        # The answer that nobody gets must not keep its connection.
        await asyncio.to_thread(wait_until, lambda: standin.connected == 0)

    standin.answer("GET", "/", lambda _: event_stream(iter(lambda: b"data: x\n\n", b"")))
    run(configuration, use, recorder=Broken())


def test_unverified_certificate_is_a_bad_gateway(
    configure: Callable[..., Path], start_standin: Callable[..., Standin]
) -> None:
    impostor = start_standin(["other.example"])
    response = run(configure(port=impostor.port), lambda client: client.get(impostor.url))
    assert response.status_code == 502
    assert "Hostname mismatch" in response.json()["detail"]
    assert impostor.bytes_received == 0


def test_private_address_is_refused_unless_it_is_allowed(
    configure: Callable[..., Path], standin: Standin
) -> None:
    response = run(configure(private="false"), lambda client: client.get(standin.url))
    assert response.status_code == 502
    assert "`allow_private_network: true`" in response.json()["detail"]
    assert standin.connections == 0
