"""`tf demo`: the whole of it on this machine, in a few seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from tameflare_cli.demo import vendors
from tameflare_cli.demo.stage import Stage, running_stage
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.rendering import one_line, print_line
from tameflare_core.decision import Decision

app = typer.Typer(add_completion=False)

_GITHUB_KEY = "ghp_the_real_key_of_the_demo"
_PAYMENTS_KEY = "sk_the_real_key_of_the_demo"

_CONFIG = """\
version: 1
gateway: demo
connectors:
  - type: github
    base_url: https://localhost:{github}/api/v3
    credential: vault:github
    allow_private_network: true
    ca_file: {ca_file}
  - type: generic
    id: payments
    base_url: https://localhost:{payments}
    credential: vault:payments
    allow_private_network: true
    ca_file: {ca_file}
    actions:
      - {{method: POST, path: /v1/refunds, action: payments.refund.create, access: write,
         risk: high, categories: [financial]}}
permissions:
  - {{connector: github, action: "github.*", access: read, decision: allow}}
  - {{connector: github, action: github.repo.delete, decision: deny}}
  - {{connector: payments, action: payments.refund.create, decision: require_approval}}
"""


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the agent, and what has to come of it."""

    title: str
    method: str
    url: str
    body: dict[str, object] | None
    decision: Decision
    status: int
    vendor: vendors.Vendor
    key: str | None


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it up until you press Ctrl-C.")
    ] = False,
) -> None:
    """Show an agent behind a gateway: one call allowed, one denied, one held and approved.

    Two stand-ins of vendors' APIs, a control plane with its vault, a gateway that follows it, an
    agent, and a colleague who approves run on this machine for a few seconds; nothing leaves it.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tf-demo-")))
        stack.enter_context(_folders_in(folder))
        github, payments = _vendors(stack, folder)
        stage = stack.enter_context(running_stage())
        stage.put_credential("github", _GITHUB_KEY)
        stage.put_credential("payments", _PAYMENTS_KEY)
        trust = folder / "vendors" / "ca.pem"
        token = stage.make_gateway(
            _CONFIG.format(github=github.port, payments=payments.port, ca_file=trust)
        )
        calls = _calls(github, payments)
        print_line("an agent, two vendors' APIs, and a gateway between them\n", flush=True)
        with stage.colleague():
            told = _run_agent(stage, token, calls)
        records = stage.records(len(calls))
        for number, (call, record, seen) in enumerate(zip(calls, records, told, strict=True), 1):
            _tell(number, call, record, seen)
        wrong = [
            call.title
            for call, record, seen in zip(calls, records, told, strict=True)
            if not _as_promised(call, record, seen)
        ]
        if wrong:
            raise CommandFailed(ExitCode.FAILED, f"not as it should be: {', '.join(wrong)}")
        print_line("the agent never held a key; every call above was judged, and is what you see")
        if keep:
            stage.keep(token)
            return
    print_line("next: `tf init`, then `tf run -- YOUR AGENT`")


@contextmanager
def _folders_in(folder: Path) -> Iterator[None]:
    """Leave alone what the user has: everything of the demo is in its own folder."""
    names = {"XDG_DATA_HOME": str(folder / "data"), "XDG_STATE_HOME": str(folder / "state")}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _vendors(stack: ExitStack, folder: Path) -> tuple[vendors.Vendor, vendors.Vendor]:
    from tameflare_proxy.authority import Authority

    authority = Authority.load_or_create(folder / "vendors")
    github = stack.enter_context(vendors.running("github", authority, folder))
    return github, stack.enter_context(vendors.running("payments", authority, folder))


def _calls(github: vendors.Vendor, payments: vendors.Vendor) -> list[_Call]:
    repository = f"https://localhost:{github.port}/api/v3/repos/acme/site"
    refunds = f"https://localhost:{payments.port}/v1/refunds"
    refund: dict[str, object] = {"charge": "ch_1", "amount": 4200}
    return [
        _Call("a read", "GET", repository, None, Decision.ALLOW, 200, github, _GITHUB_KEY),
        _Call("a deletion", "DELETE", repository, None, Decision.DENY, 403, github, None),
        _Call(
            "a refund",
            "POST",
            refunds,
            refund,
            Decision.REQUIRE_APPROVAL,
            200,
            payments,
            _PAYMENTS_KEY,
        ),
    ]


def _run_agent(stage: Stage, token: str, calls: list[_Call]) -> list[dict[str, object]]:
    from tameflare_cli.demo import agent

    tf = [sys.executable, "-m", "tameflare_cli", "run", "--quiet"]
    gateway = ["--proxy", stage.proxy, "--ca", str(stage.certificate)]
    asked = [{"method": call.method, "url": call.url, "body": call.body} for call in calls]
    finished = subprocess.run(  # noqa: S603  # our own command line
        [*tf, *gateway, "--", sys.executable, str(agent.__file__)],
        input="".join(json.dumps(one) + "\n" for one in asked),
        env=os.environ | {"TAMEFLARE_GATEWAY_TOKEN": token},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise CommandFailed(ExitCode.FAILED, f"the agent ended with {finished.returncode}")
    return [json.loads(line) for line in finished.stdout.splitlines()]


def _arrived(call: _Call) -> list[str]:
    path = call.url.split("/", 3)[3]
    return [
        key
        for method, target, key in call.vendor.received
        if (method, target) == (call.method, f"/{path}")
    ]


def _as_promised(call: _Call, record: dict[str, Any], seen: dict[str, object]) -> bool:
    return (
        record["decision"] == call.decision
        and seen["status"] == call.status
        and _arrived(call) == ([] if call.key is None else [f"Bearer {call.key}"])
        and not any(key in str(seen) for key in (_GITHUB_KEY, _PAYMENTS_KEY))
    )


def _tell(number: int, call: _Call, record: dict[str, Any], seen: dict[str, object]) -> None:
    actions = ", ".join(action["name"] for action in record["actions"])
    lines = [
        f"{number}. {call.title}: {call.method} {call.url}",
        f"   the agent sent       Authorization: {seen['sent']}",
        f"   decision             {record['decision']}: {actions}",
        f"   rule                 {record['rule']['id']}  {record['rule']['pattern']}",
    ]
    if record["approval_state"] is not None:
        lines.append(
            f"   held, then           {record['approval_state']} by {record['approval_by']}"
        )
    arrived = _arrived(call)
    got = f"Authorization: {arrived[0]}" if arrived else "nothing"
    lines.append(f"   the vendor received  {got}")
    lines.append(f"   the agent got        {seen['status']} {seen['type']}")
    body = seen["body"]
    if isinstance(body, dict) and "hint" in body:
        lines.append(f"                        {body['hint']}")
    print_line("\n".join(map(one_line, lines)) + "\n")
