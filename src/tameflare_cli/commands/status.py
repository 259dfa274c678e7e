"""`tf status`: how gateways on this machine, and the control plane, are."""

from __future__ import annotations

from typing import Any

import typer

from tameflare_cli.exit_codes import CommandFailed
from tameflare_cli.options import JsonOption
from tameflare_cli.rendering import notice, one_line, print_json, print_line, print_table

app = typer.Typer(add_completion=False)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Say which gateways run here, which rules are in force, and whether the control plane answers.

    For example:

      tf status
    """
    from tameflare_cli.stack import STATUS_FOLDER
    from tameflare_core.folders import state_folder
    from tameflare_core.sync.status import read_statuses

    proxies = read_statuses(state_folder() / STATUS_FOLDER)
    plane = _plane()
    if as_json:
        print_json({"control_plane": plane, "proxies": proxies})
        return
    _tell_plane(plane)
    for proxy in proxies:
        _tell_proxy(proxy)
    if not proxies:
        notice("no gateway of a control plane runs here: `tf up` starts one")


def _plane() -> dict[str, Any]:
    from tameflare_cli.remote import Remote, load_login

    try:
        login = load_login()
    except CommandFailed as error:
        return {"url": None, "reachable": None, "why": error.message}
    try:
        Remote(login.url, login.token).get("/api/v1/session")
    except CommandFailed as error:
        return {"url": login.url, "reachable": False, "why": error.message}
    return {"url": login.url, "reachable": True, "why": ""}


def _tell_plane(plane: dict[str, Any]) -> None:
    if plane["reachable"]:
        print_line(f"control plane  {plane['url']}")
    else:
        print_line(f"control plane  {one_line(plane['why'])}")


def _tell_proxy(proxy: dict[str, Any]) -> None:
    print_line(f"proxy          {one_line(proxy['listens'])}  (process {proxy['pid']})")
    if proxy["reachable"] is False:
        print_line(
            f"  {one_line(proxy['control_plane'])} has given no answer for"
            f" {proxy['for_seconds']:.0f} s: the last rules stand, and approvals are refused"
        )
    elif not proxy["streaming"] and proxy["gateways"]:
        print_line("  changes are heard only once a minute: the event stream is down")
    if proxy["unsent_records"] or proxy["held_approvals"]:
        print_line(
            f"  {proxy['unsent_records']} records wait to be sent,"
            f" {proxy['held_approvals']} requests are held"
        )
    if proxy["gateways"]:
        print_table(
            ("  gateway", "revision", "confirmed", "connections"),
            [
                (
                    f"  {each['name']}",
                    each["revision"][:12],
                    each["problem"] or ("not since the start" if each["from_cache"] else "yes"),
                    str(each["connections"]),
                )
                for each in proxy["gateways"]
            ],
        )
