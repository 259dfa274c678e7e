from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tameflare_core.approval import Answer, Approval, ApprovalState, fingerprint
from tameflare_core.decision_point import DecisionPoint
from tameflare_core.enforcement import AwaitApproval, OpenApproval, ReadBody, ResolveCredential
from tameflare_core.errors import ApprovalUnavailable, CredentialError
from tameflare_core.frontend import (
    AsyncNobodyToAsk,
    AsyncServices,
    Credentials,
    NobodyToAsk,
    Services,
)
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


def test_unanswered_question_expires_and_is_withdrawn(approval: Approval) -> None:
    silent = Silent()
    services = AsyncServices(approver=silent, recorder=MemoryRecorder(), credentials=CREDENTIALS)
    soon = replace(approval, timeout=0.01)
    assert anyio.run(services.carry_out, AwaitApproval(soon)) == Answer(state=ApprovalState.EXPIRED)
    assert silent.withdrawn == [soon]


def test_answer_is_passed_on(approval: Approval) -> None:
    answer = Answer(state=ApprovalState.APPROVED, by="owner")
    recorder = MemoryRecorder()
    blocking = Services(
        approver=ScriptedApprover(answer), recorder=recorder, credentials=CREDENTIALS
    )
    waiting = AsyncServices(
        approver=AsyncScriptedApprover(answer), recorder=recorder, credentials=CREDENTIALS
    )
    blocking.carry_out(OpenApproval(approval))
    assert blocking.carry_out(AwaitApproval(approval)) == answer
    anyio.run(waiting.carry_out, OpenApproval(approval))
    assert anyio.run(waiting.carry_out, AwaitApproval(approval)) == answer


def test_nobody_to_ask_says_why(approval: Approval) -> None:
    with pytest.raises(ApprovalUnavailable, match="no terminal and no control plane"):
        NobodyToAsk().open(approval)
    with pytest.raises(ApprovalUnavailable, match="because"):
        anyio.run(AsyncNobodyToAsk("because").open, approval)


def test_drivers_own_command_is_not_carried_out() -> None:
    services = Services(approver=NobodyToAsk(), recorder=MemoryRecorder(), credentials=CREDENTIALS)
    with pytest.raises(TypeError, match="`ReadBody` is the driver's own"):
        services.carry_out(ReadBody(1))


def test_unknown_credential_scheme_is_an_error() -> None:
    services = Services(approver=NobodyToAsk(), recorder=MemoryRecorder(), credentials=CREDENTIALS)
    with pytest.raises(CredentialError, match="no credential source `other:`"):
        services.carry_out(ResolveCredential(CredentialReference("other", "x")))
