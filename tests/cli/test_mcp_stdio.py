"""Lines from an MCP client, judged one by one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tameflare_cli.mcp_stdio import StdioFrontend
from tameflare_core.approval import Answer, Approval, ApprovalState
from tameflare_core.approvals import AsyncApprovals
from tameflare_core.body import MAX_INSPECTED
from tameflare_core.builtin.mcp_answers import ERROR_CODE
from tameflare_core.current_point import CurrentPoint
from tameflare_core.errors import ApprovalUnavailable, UpstreamError
from tameflare_core.frontend import AsyncServices, Credentials
from tameflare_core.testing import MemoryRecorder, gateway_from

CONFIG = """
    version: 1
    gateway: desk
    connectors: [{type: mcp, id: files, stdio: true}]
    permissions:
      - {connector: files, action: "mcp.*", decision: allow}
      - {connector: files, action: mcp.tools.call.delete, decision: deny}
      - {connector: files, action: mcp.notifications.progress, decision: deny}
      - {connector: files, action: mcp.response.send, decision: deny}
      - {connector: files, action: mcp.tools.call.ask, decision: require_approval}
"""


class Asked:
    """An approver whose answers the test gives when it wants to."""

    def __init__(self) -> None:
        self.open_ones: list[Approval] = []
        self.withdrawn: list[Approval] = []
        self.nobody = False
        self._send, self._receive = anyio.create_memory_object_stream[Answer](10)

    async def open(self, approval: Approval) -> None:
        if self.nobody:
            raise ApprovalUnavailable("nobody is there")
        self.open_ones.append(approval)

    async def wait(self, approval: Approval) -> Answer:
        return await self._receive.receive()

    async def withdraw(self, approval: Approval) -> None:
        self.withdrawn.append(approval)

    def answer(self, state: ApprovalState, note: str = "") -> None:
        self._send.send_nowait(Answer(state=state, note=note))

    def close(self) -> None:
        self._send.close()
        self._receive.close()


class Session:
    """A client's session with a server that only listens."""

    def __init__(self) -> None:
        self.asked = Asked()
        self.recorder = MemoryRecorder()
        self.forwarded: list[bytes] = []
        self.said: list[Any] = []
        self.server_ended = False
        self._send, self._receive = anyio.create_memory_object_stream[bytes | None](100)
        self.frontend = StdioFrontend(
            url="https://files.stdio.invalid/",
            point=CurrentPoint(gateway_from(CONFIG)),
            services=AsyncServices(
                approvals=AsyncApprovals(self.asked),
                recorder=self.recorder,
                credentials=Credentials({}, Path.cwd()),
            ),
            forward=self._forward,
            say=self._say,
        )

    async def _forward(self, line: bytes) -> None:
        if self.server_ended:
            raise UpstreamError("the server takes no more messages")
        self.forwarded.append(line)

    async def _say(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self.said.append(json.loads(line))

    async def send(self, *lines: bytes | None) -> None:
        for line in lines:
            self._send.send_nowait(line)
        await anyio.wait_all_tasks_blocked()

    async def lines(self) -> AsyncIterator[bytes | None]:
        async for line in self._receive:
            yield line

    def end(self) -> None:
        self._send.close()

    def close(self) -> None:
        self.end()
        self._receive.close()
        self.asked.close()

    @property
    def outcomes(self) -> list[str]:
        return [record.outcome for record in self.recorder.records]


def play(script: Callable[[Session], Awaitable[None]]) -> Session:
    """Run a session: the script, and then its end."""

    async def run() -> Session:
        session = Session()
        try:
            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    group.start_soon(session.frontend.run, session.lines())
                    await script(session)
                    session.end()
        finally:
            session.close()
        return session

    return anyio.run(run)


def sent(*lines: bytes | None) -> Session:
    async def script(session: Session) -> None:
        await session.send(*lines)

    return play(script)


def line(document: object, end: bytes = b"\n") -> bytes:
    return json.dumps(document).encode() + end


def call(tool: str, ident: object = 1) -> dict[str, object]:
    params = {"name": tool, "arguments": {}}
    return {"jsonrpc": "2.0", "id": ident, "method": "tools/call", "params": params}


def note(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


@pytest.mark.parametrize(
    "data",
    [
        line(call("read")),
        line(call("read"), b"\r\n"),
        line(call("read"), b""),
        b'  {"jsonrpc" :\t"2.0", "id":1,"method":"\\u0070ing"}  \n',
        line([call("read", 1), call("read", 2)]),
        line(note("notifications/initialized")),
    ],
)
def test_allowed_line_is_forwarded_byte_for_byte(data: bytes) -> None:
    session = sent(data)
    assert session.forwarded == [data]
    assert session.said == []
    (record,) = session.recorder.records
    assert (record.outcome, record.status) == ("forwarded", 202)
    assert record.request is not None
    assert record.request.url == "https://files.stdio.invalid/"


def test_denied_call_is_answered_with_an_error() -> None:
    session = sent(line(call("delete", "seven")))
    assert session.forwarded == []
    (answer,) = session.said
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", "seven")
    error = answer["error"]
    assert error["code"] == ERROR_CODE
    assert error["message"].startswith("Denied: mcp.tools.call.delete is denied by permission")
    assert error["data"]["action"] == "mcp.tools.call.delete"
    assert error["data"]["decision"] == "deny"
    assert error["data"]["rule"]["id"] == "permissions[1]"
    assert error["data"]["request_id"] == session.recorder.records[0].id
    assert "Do not retry" in error["data"]["hint"]


@pytest.mark.parametrize(
    "document",
    [note("notifications/progress"), {"jsonrpc": "2.0", "id": 4, "result": {"a": 1}}],
)
def test_denied_message_that_wants_no_answer_is_dropped(document: object) -> None:
    session = sent(line(document))
    assert (session.forwarded, session.said, session.outcomes) == ([], [], ["denied"])


def test_batch_is_refused_as_a_whole() -> None:
    batch = [call("read", 1), note("notifications/initialized"), call("delete", 2)]
    session = sent(line(batch))
    assert session.forwarded == []
    ((first, second),) = session.said
    assert (first["id"], second["id"]) == (1, 2)
    assert first["error"] == second["error"]


INNER = json.dumps(call("delete", 9)).encode()


@pytest.mark.parametrize(
    ("data", "ident", "outcome"),
    [
        (b"nonsense\n", None, "denied"),
        (b"\xff\n", None, "denied"),
        (b"[]\n", None, "denied"),
        (b'{"jsonrpc":"2.0","id":5,"Method":"ping","method":"ping"}\n', None, "denied"),
        (b'{"jsonrpc":"2.0","id":5,"method":"ping","Params":{}}\n', 5, "denied"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}\n', None, "denied"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}\n', None, "denied"),
        # Each of these is one line to us, and more to some servers.
        (
            b'{"jsonrpc":"2.0","id":5,"method":"ping","params":{"x":\r%b\r}}\n' % INNER,
            5,
            "rejected",
        ),
        (b'{"jsonrpc":"2.0","id":5,"method":"ping"}\r\r\n', 5, "rejected"),
        ('{"jsonrpc":"2.0","id":5,"method":"p","params":{"x":"\u2028"}}\n'.encode(), 5, "rejected"),
        ('{"jsonrpc":"2.0","id":5,"method":"p","params":{"x":"\u2029"}}\n'.encode(), 5, "rejected"),
        ('{"jsonrpc":"2.0","id":5,"method":"p","params":{"x":"\x85"}}\n'.encode(), 5, "rejected"),
        (b'{"jsonrpc":"2.0","id":5,"method":"Tools/Call"}\n', 5, "rejected"),
        (None, None, "rejected"),
    ],
)
def test_line_that_reads_in_two_ways_is_answered_with_an_error(
    data: bytes | None, ident: int | None, outcome: str
) -> None:
    session = sent(data)
    assert session.forwarded == []
    assert [answer["id"] for answer in session.said] == [ident]
    assert session.outcomes == [outcome]


def test_line_at_the_limit_is_judged() -> None:
    data = line(call("x" * 100)).ljust(MAX_INSPECTED) + b"\n"
    session = sent(data.replace(b"\n", b" ", 1))
    assert len(session.forwarded) == 1


def test_empty_lines_are_left_out() -> None:
    assert sent(b"\n", b" \r\n").recorder.records == []


def test_approved_call_goes_on_and_others_do_not_wait() -> None:
    held, other = line(call("ask", 1)), line(call("read", 2))

    async def script(session: Session) -> None:
        await session.send(held, other)
        assert session.forwarded == [other]
        (approval,) = session.asked.open_ones
        assert approval.request.decoded_body() == held.rstrip()
        session.asked.answer(ApprovalState.APPROVED)
        await anyio.wait_all_tasks_blocked()

    session = play(script)
    assert session.forwarded == [other, held]
    assert session.said == []
    assert session.recorder.records[-1].approval_state is ApprovalState.APPROVED


def test_refused_hold_is_answered_with_its_note() -> None:
    async def script(session: Session) -> None:
        await session.send(line(call("ask", 1)))
        session.asked.answer(ApprovalState.DENIED, "not today")
        await anyio.wait_all_tasks_blocked()

    session = play(script)
    assert session.forwarded == []
    assert "not today" in session.said[0]["error"]["message"]


def test_call_is_refused_when_nobody_can_be_asked() -> None:
    async def script(session: Session) -> None:
        session.asked.nobody = True
        await session.send(line(call("ask", 1)))

    session = play(script)
    assert session.said[0]["error"]["data"]["title"] == "Nobody can approve"
    assert session.forwarded == []


@pytest.mark.parametrize(
    ("ident", "cancelled"), [(1, True), ("1", False), (2, False), (True, False)]
)
def test_client_that_gives_up_withdraws_its_question(ident: object, cancelled: bool) -> None:
    async def script(session: Session) -> None:
        await session.send(
            line(call("ask", 1)), line(note("notifications/cancelled", requestId=ident))
        )
        assert len(session.asked.withdrawn) == cancelled
        session.asked.answer(ApprovalState.APPROVED)
        await anyio.wait_all_tasks_blocked()

    session = play(script)
    assert (line(call("ask", 1)) in session.forwarded) is not cancelled
    assert session.outcomes.count("cancelled") == cancelled


@pytest.mark.parametrize("ending", ["client", "server"])
def test_end_withdraws_what_is_held(ending: str) -> None:
    async def script(session: Session) -> None:
        await session.send(line(call("ask", 1)))
        if ending == "server":
            session.frontend.stop()

    session = play(script)
    assert len(session.asked.withdrawn) == 1
    assert (session.forwarded, session.said, session.outcomes) == ([], [], ["cancelled"])


def test_only_so_many_calls_are_held() -> None:
    async def script(session: Session) -> None:
        await session.send(*(line(call("ask", number)) for number in range(33)))
        assert len(session.asked.open_ones) == 32
        (refused,) = session.said
        assert refused["id"] == 32
        assert "32 other calls wait" in refused["error"]["message"]
        session.asked.answer(ApprovalState.APPROVED)
        await session.send(line(call("ask", 33)))
        assert len(session.asked.open_ones) == 33

    assert len(play(script).forwarded) == 1


def test_server_that_is_gone_is_told_to_the_client() -> None:
    async def script(session: Session) -> None:
        session.server_ended = True
        await session.send(line(call("read", 3)))

    session = play(script)
    assert session.said[0]["id"] == 3
    assert "takes no more messages" in session.said[0]["error"]["message"]
    assert session.outcomes == ["failed"]


def test_nothing_is_forwarded_without_a_record() -> None:
    class Full(MemoryRecorder):
        def prepare(self) -> None:
            raise OSError("no space left on device")

    async def script(session: Session) -> None:
        object.__setattr__(session.frontend._services, "recorder", Full())
        await session.send(line(call("read", 3)))

    session = play(script)
    assert session.forwarded == []
    assert session.said[0]["id"] == 3
