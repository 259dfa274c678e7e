"""`tf approvals`: what waits for an answer, and answering it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tameflare_cli.options import JsonOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import (
    fields,
    notice,
    one_line,
    print_json,
    print_line,
    print_row,
    print_table,
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="See and answer what gateways of the control plane hold.",
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="Like apv_2f6c0b5a9d3e4f17.")]
_Note = Annotated[str, typer.Option(metavar="TEXT", help="What to tell the agent.")]
_LONGEST_BODY = 60


@app.command("list")
def list_approvals(
    state: Annotated[
        str, typer.Option(metavar="STATE", help="pending, approved, denied, …; `all` for each.")
    ] = "pending",
    as_json: JsonOption = False,
) -> None:
    """List approvals, newest first.

    For example:

      tf approvals list

      tf approvals list --state denied
    """
    wanted = None if state == "all" else state
    items = connect().get("/api/v1/approvals", state=wanted, limit=200)["items"]
    if as_json:
        print_json(items)
    elif items:
        print_table(
            ("id", "state", "gateway", "actions", "until"),
            [
                (
                    item["id"],
                    item["state"],
                    item["gateway"],
                    ", ".join(action["name"] for action in item["actions"]),
                    item["expires"][11:19] + "Z",
                )
                for item in items
            ],
        )
    else:
        notice("nothing waits for an answer" if wanted == "pending" else "there is none")


@app.command()
def show(id: _Id, as_json: JsonOption = False) -> None:  # noqa: A002  # the argument's name
    """Show an approval with everything that is to be known about it."""
    approval = connect().get(f"/api/v1/approvals/{id}")
    if as_json:
        print_json(approval)
        return
    print_row([approval["state"], f"{approval['method']} {approval['url']}"], [0])
    print_line(f"gateway      {one_line(approval['gateway'])}")
    print_line(f"reason       {one_line(approval['reason'])}")
    for action in approval["actions"]:
        print_line(f"action       {one_line(action['name'])}  {action['access']}, {action['risk']}")
        told = [*action["resource"].items(), *action["params"].items()]
        if told:
            print_line(f"               {fields(told)}")
    for line in approval["body"].splitlines()[:_LONGEST_BODY]:
        print_line(f"body         {one_line(line)}")
    if approval["by"]:
        print_line(f"answered by  {one_line(approval['by'])}  {one_line(approval['note'])}")


@app.command()
def approve(
    id: _Id,  # noqa: A002
    note: _Note = "",
    seconds: Annotated[
        float | None,
        typer.Option("--for", metavar="SECONDS", help="Let the same pass for a while."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a request: it leaves at once. The first answer stands.

    For example:

      tf approvals approve apv_2f6c0b5a9d3e4f17

      tf approvals approve apv_2f6c0b5a9d3e4f17 --for 900
    """
    body = {"note": note, "for_seconds": seconds}
    _tell(connect().write("POST", f"/api/v1/approvals/{id}/approve", body), as_json=as_json)


@app.command()
def deny(id: _Id, note: _Note = "", as_json: JsonOption = False) -> None:  # noqa: A002
    """Deny a request. The first answer stands."""
    answered = connect().write("POST", f"/api/v1/approvals/{id}/deny", {"note": note})
    _tell(answered, as_json=as_json)


def _tell(approval: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(approval)
    else:
        print_line(f"{approval['state']}: {approval['method']} {one_line(approval['url'])}")
