"""`tf unkill`: let agents go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import RemoteOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import one_line, print_line

if TYPE_CHECKING:
    from tameflare_core.kill_switch import KillSwitch
    from tameflare_core.kill_switch_file import KillSwitchFile

app = typer.Typer(add_completion=False)

_ALL = typer.Option("--all", help="End every kill switch.")


@app.command()
def unkill(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="SCOPE|ID", help="As `tf kill --list` shows it; needed if there are several."
        ),
    ] = None,
    everything: Annotated[bool, _ALL] = False,
    control_plane: RemoteOption = False,
) -> None:
    """End kill switches: what they stopped is judged by the rules again.

    For example:

      tf unkill action:github.pr.*

      tf unkill --all
    """
    from tameflare_core.kill_switch_file import KillSwitchFile

    if everything and which is not None:
        raise CommandFailed(ExitCode.USAGE, "`--all` stands alone")
    if control_plane:
        _end_there(which, everything=everything)
        return
    file = KillSwitchFile.of_user()
    ended = file.deactivate_all() if everything else _end(file, which)
    if not ended:
        what = "no kill switch is active" if which is None else f"`{one_line(which)}` is not active"
        raise CommandFailed(
            ExitCode.REFUSED, f"nothing to end: {what}", "`tf kill --list` shows what is stopped"
        )
    for switch in ended:
        print_line(f"ended: {switch.scope}  {switch.id}  {one_line(switch.reason)}")
    for switch in file.current():
        print_line(f"still stopped: {switch.scope}  {switch.id}  {one_line(switch.reason)}")


def _end_there(which: str | None, *, everything: bool) -> None:
    remote = connect()
    active = remote.get("/api/v1/kill-switches")
    alone = which is None and len(active) == 1
    ended = [one for one in active if everything or alone or which in (one["id"], one["scope"])]
    if not ended:
        raise CommandFailed(
            ExitCode.REFUSED,
            "nothing was ended: say which of the active kill switches",
            "`tf kill --list --control-plane` shows them",
        )
    for one in ended:
        remote.write("DELETE", f"/api/v1/kill-switches/{one['id']}")
        print_line(f"ended: {one_line(one['scope'])}  {one['id']}  {one_line(one['reason'])}")


def _end(file: KillSwitchFile, which: str | None) -> tuple[KillSwitch, ...]:
    from tameflare_core.kill_switch import ID_PREFIX, KillScope

    if which is None:
        active = tuple(file.current())
        if len(active) > 1:
            raise CommandFailed(
                ExitCode.USAGE,
                f"{len(active)} kill switches are active: say which one to end",
                "`tf kill --list` shows them, and `tf unkill --all` ends them all",
            )
        return file.deactivate(active[0].id) if active else ()
    if which.startswith(ID_PREFIX):
        return file.deactivate(which)
    try:
        scope = KillScope.parse(which)
    except ValueError as error:
        raise CommandFailed(
            ExitCode.USAGE, one_line(str(error)), "an id, as `tf kill --list` shows it, will do too"
        ) from None
    return file.deactivate(scope)
