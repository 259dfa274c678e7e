"""`tf kill`: stop agents at once."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import JsonOption, RemoteOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import notice, one_line, print_json, print_line, print_table

if TYPE_CHECKING:
    from tameflare_core.kill_switch import KillScope, KillSwitch, KillSwitches
    from tameflare_core.kill_switch_file import KillSwitchFile

app = typer.Typer(add_completion=False)


@app.command()
def kill(
    scope: Annotated[
        str | None,
        typer.Argument(
            metavar="SCOPE",
            help="org (unless given), gateway:NAME, connector:ID or action:PATTERN.",
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; it is shown with what is stopped.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List what is stopped.")] = False,
    control_plane: RemoteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Stop agents at once: every gateway of this user on this machine refuses what SCOPE covers.

    With --control-plane: every gateway of the organization, wherever it runs. Requests that are
    running or held end within a second. `tf unkill` lets them go on.

    For example:

      tf kill --reason "the agent deletes branches"

      tf kill 'action:github.*.delete' --reason "until we know why"
    """
    from tameflare_core.kill_switch import KillSwitches
    from tameflare_core.kill_switch_file import KillSwitchFile

    file = KillSwitchFile.of_user()
    if show and control_plane:
        documents = connect().get("/api/v1/kill-switches")
        _list(KillSwitches(map(_of_plane, documents)), as_json=as_json)
    elif not show:
        _activate(file, scope, reason, control_plane=control_plane, as_json=as_json)
    elif scope is None and reason is None:
        _list(file.current(), as_json=as_json)
    else:
        raise CommandFailed(ExitCode.USAGE, "`--list` stands alone, and stops nothing")


def _of_plane(document: dict[str, str]) -> KillSwitch:
    from tameflare_core.kill_switch import KillSwitch

    kept = {key: document[key] for key in ("id", "scope", "reason", "by", "at")}
    return KillSwitch.from_document(kept)


def _activate(
    file: KillSwitchFile,
    scope: str | None,
    reason: str | None,
    *,
    control_plane: bool,
    as_json: bool,
) -> None:
    from tameflare_core.kill_switch import KillScope, KillSwitch

    if reason is None:
        advice = 'for example: tf kill --reason "the agent deletes branches"'
        raise CommandFailed(ExitCode.USAGE, "nothing was stopped: say why with `--reason`", advice)
    try:
        switch = KillSwitch.new(
            KillScope.parse("org" if scope is None else scope),
            reason=reason,
            by=_user_name(),
            at=datetime.now(UTC),
        )
    except ValueError as error:
        raise CommandFailed(
            ExitCode.USAGE, f"nothing was stopped: {one_line(str(error))}"
        ) from None
    if control_plane:
        body = {"scope": str(switch.scope), "reason": reason}
        switch = _of_plane(connect().write("POST", "/api/v1/kill-switches", body))
    else:
        file.activate(switch)
    if as_json:
        print_json(switch.document())
        return
    where = "the organization" if control_plane else "this user on this machine"
    print_line(f"stopped: {_what_stops(switch.scope, where)}")
    print_line(f"reason:  {one_line(switch.reason)}")
    print_line(f"undo:    tf unkill {switch.id}{' --control-plane' if control_plane else ''}")


def _list(switches: KillSwitches, *, as_json: bool) -> None:
    documents = [switch.document() for switch in switches]
    if as_json:
        print_json(documents)
    elif documents:
        print_table(
            ("id", "scope", "since", "by", "reason"),
            [
                (
                    switch.id,
                    str(switch.scope),
                    switch.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                    switch.by,
                    switch.reason,
                )
                for switch in switches
            ],
        )
    else:
        notice("nothing is stopped: no kill switch is active")


def _what_stops(scope: KillScope, where: str) -> str:
    from tameflare_core.kill_switch import KillScopeKind

    target = one_line(scope.target)
    match scope.kind:
        case KillScopeKind.ORG:
            return f"everything, in every gateway of {where}"
        case KillScopeKind.GATEWAY:
            return f"everything in the gateway `{target}`"
        case KillScopeKind.CONNECTOR:
            return f"everything of connectors with the id or type `{target}`, in every gateway"
        case KillScopeKind.ACTION:
            return f"actions that `{target}` covers, in every gateway"


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container
        return f"uid {os.getuid()}"
