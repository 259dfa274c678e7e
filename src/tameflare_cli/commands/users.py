"""`tf users`: who may do what at the control plane."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.options import JsonOption
from tameflare_cli.remote import connect
from tameflare_cli.rendering import one_line, print_json, print_line, print_table

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The users of the control plane."
)

_Email = Annotated[str, typer.Argument(metavar="ADDRESS", help="The user's e-mail address.")]
_Role = typer.Option(metavar="ROLE", help="owner, admin, member or viewer.")


@app.command("list")
def list_users(as_json: JsonOption = False) -> None:
    """List the users."""
    items = connect().get("/api/v1/users")
    if as_json:
        print_json(items)
        return
    print_table(
        ("address", "name", "role", "active", "last login"),
        [
            (
                item["email"],
                item["name"],
                item["role"],
                "yes" if item["active"] else "no",
                (item["last_login"] or "-")[:19],
            )
            for item in items
        ],
    )


@app.command()
def add(email: _Email, role: Annotated[str, _Role] = "member") -> None:
    """Invite somebody; the link is shown this once, and good for seven days.

    For example:

      tf users add bo@example.com --role admin
    """
    made = connect().write("POST", "/api/v1/invitations", {"email": email, "role": role})
    print_line(one_line(made["link"]))


@app.command("set")
def set_user(
    email: _Email,
    role: Annotated[str | None, _Role] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Let in, or lock out at once.")
    ] = None,
    slack: Annotated[
        str | None, typer.Option(metavar="ID", help="Their Slack user, like U012AB3CD.")
    ] = None,
) -> None:
    """Change a user's role, lock them out, or name their Slack user."""
    given = {"role": role, "active": active, "slack_user": slack}
    change: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if not change:
        raise CommandFailed(
            ExitCode.USAGE, "nothing to change: name `--role`, `--inactive` or `--slack`"
        )
    user = connect().write("PATCH", f"/api/v1/users/{email}", change, version="*")
    print_line(
        f"{one_line(user['email'])}: {user['role']}, {'active' if user['active'] else 'out'}"
    )


@app.command()
def remove(email: _Email) -> None:
    """Remove a user; what they did stays in the audit log."""
    connect().write("DELETE", f"/api/v1/users/{email}", version="*")
    print_line(f"removed {one_line(email)}")
