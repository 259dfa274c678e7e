"""Asks for approvals on the terminal of `tf run` and `tf gateway`.

Everything in a question but our own words was written by the agent, so all of it is escaped, and
each line of it stands behind a bar that it cannot draw itself.
"""

from __future__ import annotations

import os
import pwd
import time
from contextlib import suppress

import anyio

from tameflare_cli.foreground import Foreground, NotInFront
from tameflare_cli.rendering import fields
from tameflare_core.action import Action
from tameflare_core.approval import (
    LONGEST_GRANT,
    PREVIEW_LENGTH,
    Answer,
    Approval,
    ApprovalState,
    preview,
    preview_line,
)
from tameflare_core.approvals import AsyncApprover, AsyncNobodyToAsk
from tameflare_core.decision import Role
from tameflare_core.errors import ApprovalUnavailable, OpaqueBody
from tameflare_core.policy.quantities import seconds
from tameflare_core.request import BodyState, OutboundRequest

__all__ = ["TerminalApprover", "approver_on"]

_CHUNK = 4096
_HELP = "tf: type `a`, or `d` and perhaps a note for the agent\n"
_HELP_WIDER = (
    "tf: type `a`; `t 1h` to let the same action on the same resource pass for an hour (24h at the"
    " most); or `d` and perhaps a note for the agent\n"
)


def approver_on(terminal: Foreground | None) -> AsyncApprover:
    """Whom a gateway asks that was started on `terminal`; nobody, when there is none."""
    if terminal is None:
        return AsyncNobodyToAsk("this gateway has no terminal to ask on")
    return TerminalApprover(terminal)


class TerminalApprover:
    """Puts one question at a time; the others wait their turn.

    While it asks, the job that had the terminal is stopped: what is typed comes to the question
    alone.

    Args:
        terminal: where to ask.
    """

    def __init__(self, terminal: Foreground) -> None:
        self._terminal = terminal
        self._turn = anyio.Lock()
        self._open: dict[str, anyio.CancelScope] = {}

    async def open(self, approval: Approval) -> None:
        if not self._terminal.is_ours:
            raise ApprovalUnavailable("this gateway runs in the background of its terminal")
        if approval.roles is not None and Role.OWNER not in approval.roles:
            roles = " or ".join(sorted(approval.roles))
            raise ApprovalUnavailable(f"it needs the role {roles}, and its terminal is the owner's")

    async def wait(self, approval: Approval) -> Answer:
        deadline = anyio.current_time() + approval.timeout
        with anyio.CancelScope() as scope:
            self._open[approval.id] = scope
            try:
                async with self._turn:
                    return await self._ask(approval, deadline)
            finally:
                del self._open[approval.id]
        return Answer(state=ApprovalState.CANCELLED)

    async def withdraw(self, approval: Approval) -> None:
        scope = self._open.get(approval.id)
        if scope is not None:
            scope.cancel()

    async def _ask(self, approval: Approval, deadline: float) -> Answer:
        try:
            with self._terminal.taken():
                conversation = _Conversation(self._terminal.descriptor)
                try:
                    await conversation.write(_question(approval))
                    answer = await self._answer(conversation, approval, deadline)
                    await conversation.write(f"tf: {_told(answer)}\n")
                except anyio.get_cancelled_exc_class():
                    conversation.write_at_once("\ntf: the question is void: nothing was sent\n")
                    raise
                return answer
        except NotInFront:
            return Answer(state=ApprovalState.DENIED, note="the terminal went to another job")
        except OSError:
            return Answer(state=ApprovalState.DENIED, note="the terminal was closed")

    async def _answer(
        self, conversation: _Conversation, approval: Approval, deadline: float
    ) -> Answer:
        by = _user()
        widens = approval.subjects is not None
        ways = "[a]pprove once, for a [t]ime," if widens else "[a]pprove once"
        while True:
            await conversation.write(f"tf: {ways} or [d]eny? {self._standing(deadline)} > ")
            line = await conversation.line()
            if line is None:
                return Answer(state=ApprovalState.DENIED, by=by)
            word, _, note = line.partition(" ")
            match word.lower():
                case "a" | "approve" if not note:
                    return Answer(state=ApprovalState.APPROVED, by=by)
                case "d" | "deny":
                    return Answer(state=ApprovalState.DENIED, by=by, note=note.strip())
                case "t" | "time" if widens and (span := _span(note)) is not None:
                    return Answer(state=ApprovalState.APPROVED, by=by, widened=span)
                case "":
                    pass
                case _:
                    await conversation.write(_HELP_WIDER if widens else _HELP)

    def _standing(self, deadline: float) -> str:
        left = max(int(deadline - anyio.current_time()), 0)
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + left))
        others = len(self._open) - 1
        waiting = f", {others} more waiting" if others else ""
        return f"{left // 60}:{left % 60:02} left, until {until}{waiting}"


class _Conversation:
    """Lines to and from a terminal that is never waited for while the event loop stands still."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._typed = bytearray()

    async def write(self, text: str) -> None:
        data = text.encode()
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                await anyio.wait_writable(self._descriptor)

    def write_at_once(self, text: str) -> None:
        with suppress(OSError):
            os.write(self._descriptor, text.encode())

    async def line(self) -> str | None:
        """The next line typed; None for end of file (Ctrl-D)."""
        while b"\n" not in self._typed:
            await anyio.wait_readable(self._descriptor)
            try:
                chunk = os.read(self._descriptor, _CHUNK)
            except BlockingIOError:
                continue
            if not chunk:
                return None
            self._typed += chunk
        line, _, rest = bytes(self._typed).partition(b"\n")
        self._typed = bytearray(rest)
        return line.decode("utf-8", "replace").strip()


def _question(approval: Approval) -> str:
    request, verdict = approval.request, approval.verdict
    lines = [
        f"approval needed: gateway {preview_line(approval.gateway)}",
        f"request  {request.method} {preview_line(approval.shown_url, limit=PREVIEW_LENGTH)}",
        *(line for action in verdict.actions for line in _action_lines(action)),
        f"reason   {preview_line(verdict.reason)}",
        *_body_lines(request),
    ]
    return "\n" + "".join(f"tf | {line}\n" for line in lines)


def _action_lines(action: Action) -> list[str]:
    kinds = "".join(f", {category.value}" for category in sorted(action.categories))
    told = [*action.resource.items(), *action.params.items()]
    lines = [f"action   {preview_line(action.name)}  {action.access}, risk {action.risk}{kinds}"]
    return [*lines, f"         {fields(told)}"] if told else lines


def _body_lines(request: OutboundRequest) -> list[str]:
    match request.body.state:
        case BodyState.ABSENT:
            return []
        case BodyState.COMPLETE:
            kind = preview_line(request.headers.get("content-type", "no content type"))
            try:
                data, coded = request.decoded_body(), ""
            except OpaqueBody as error:
                data, coded = request.body.data, f", {error}"
            shown = preview(data).split("\n")
            return [
                f"body     {len(data)} bytes, {kind}{coded}",
                *(f"  | {line}" for line in shown),
            ]
        case state:
            return [f"body     {state.value}"]


def _span(text: str) -> float | None:
    try:
        span = seconds(text.strip() or "1h")
    except ValueError:
        return None
    return span if 0 < span <= LONGEST_GRANT else None


def _told(answer: Answer) -> str:
    if answer.widened is None:
        return answer.state.value
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + answer.widened))
    return f"approved, and the same action on the same resource until {until}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
