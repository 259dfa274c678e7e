from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState, fingerprint
from tameflare_core.approvals import Approvals, AsyncApprovals, AsyncNobodyToAsk, NobodyToAsk
from tameflare_core.commands import (
    AwaitApproval,
    OpenApproval,
    ReadBody,
    Reply,
    ResolveCredential,
)
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.errors import ApprovalUnavailable, CredentialError
from tameflare_core.frontend import AsyncServices, Credentials, Services
from tameflare_core.plugins import load_plugins
from tameflare_core.request import OutboundRequest
from tameflare_core.testing import (
    FIXED_TIME,
    AsyncScriptedApprover,
    MemoryRecorder,
    ScriptedApprover,
    gateway_from,
)
from tameflare_core.vault.references import CredentialReference

CREDENTIALS = Credentials(load_plugins(entry_points=False).credential_sources, Path())
REST = {"recorder": MemoryRecorder(), "credentials": CREDENTIALS}


@pytest.fixture(scope="module")
def approval() -> Approval:
    gateway = gateway_from("version: 1\ngateway: g\nconnectors: [{type: github}]\n")
    request = OutboundRequest.from_url("GET", "https://api.github.com/user")
    return Approval(
        id="apv_1",
        gateway="g",
        request=request,
        shown_url=request.url,
        verdict=DecisionPoint(gateway).decide(request, FIXED_TIME),
        fingerprint=fingerprint("g", request),
        created=FIXED_TIME,
        timeout=60,
    )


class Silent:
    """Never answers."""

    def __init__(self) -> None:
        self.withdrawn: list[Approval] = []

    async def open(self, approval: Approval) -> None:
        pass

    async def wait(self, approval: Approval) -> Answer:
        await anyio.sleep_forever()
        raise AssertionError

    async def withdraw(self, approval: Approval) -> None:
        self.withdrawn.append(approval)


async def asked_and_awaited(services: AsyncServices, approval: Approval) -> Reply:
    await services.carry_out(OpenApproval(approval))
    return await services.carry_out(AwaitApproval(approval))


def test_unanswered_question_expires_and_is_withdrawn(approval: Approval) -> None:
    silent = Silent()
    services = AsyncServices(
        approvals=AsyncApprovals(silent), recorder=MemoryRecorder(), credentials=CREDENTIALS
    )
    soon = replace(approval, timeout=0.01)
    assert anyio.run(asked_and_awaited, services, soon) == Answer(state=ApprovalState.EXPIRED)
    assert silent.withdrawn == [soon]


def test_answer_is_passed_on(approval: Approval) -> None:
    answer = Answer(state=ApprovalState.APPROVED, by="owner")
    blocking = Services(approvals=Approvals(ScriptedApprover(answer)), **REST)
    waiting = AsyncServices(
        approvals=AsyncApprovals(AsyncScriptedApprover(answer)),
        **REST,
    )
    blocking.carry_out(OpenApproval(approval))
    assert blocking.carry_out(AwaitApproval(approval)) == answer
    assert anyio.run(asked_and_awaited, waiting, approval) == answer


def test_nobody_to_ask_says_why(approval: Approval) -> None:
    with pytest.raises(ApprovalUnavailable, match="no terminal and no control plane"):
        NobodyToAsk().open(approval)
    with pytest.raises(ApprovalUnavailable, match="because"):
        anyio.run(AsyncNobodyToAsk("because").open, approval)


def test_drivers_own_command_is_not_carried_out() -> None:
    services = Services(
        approvals=Approvals(NobodyToAsk()), recorder=MemoryRecorder(), credentials=CREDENTIALS
    )
    with pytest.raises(TypeError, match="`ReadBody` is the driver's own"):
        services.carry_out(ReadBody(1))


def test_unknown_credential_scheme_is_an_error() -> None:
    services = Services(
        approvals=Approvals(NobodyToAsk()), recorder=MemoryRecorder(), credentials=CREDENTIALS
    )
    with pytest.raises(CredentialError, match="no credential source `other:`"):
        services.carry_out(ResolveCredential(CredentialReference("other", "x")))
