"""`tf login`: who this user is at a control plane."""

from __future__ import annotations

import socket
import sys
import time
from typing import Annotated

import typer

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.remote import DEFAULT_URL, Login, Remote, load_login, save_login
from tameflare_cli.rendering import notice, one_line, print_line

app = typer.Typer(add_completion=False)


@app.command()
def login(
    url: Annotated[
        str, typer.Option(metavar="URL", envvar="TAMEFLARE_URL", help="The control plane.")
    ] = DEFAULT_URL,
    setup: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Become the first owner, with the one-time token."),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Log in with a password instead of a code."),
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Let the command that shows this code act as you."),
    ] = None,
) -> None:
    """Log in to a control plane; other commands then act as you.

    A code is shown, which you confirm where you are logged in already: in the dashboard, or with
    `tf login --confirm CODE` on another machine.

    For example:

      tf login --url https://tameflare.example.com

      tf login --email ana@example.com
    """
    url = url.rstrip("/")
    if confirm is not None:
        kept = load_login()
        answer = Remote(kept.url, kept.token).write(
            "POST", "/api/v1/login-codes/confirm", {"user_code": confirm}
        )
        print_line(f"confirmed: `{one_line(answer['name'])}` acts as you")
        return
    if setup is not None:
        token = _set_up(Remote(url), setup, email)
    elif email is not None:
        token = _with_password(Remote(url), email)
    else:
        token = _with_code(Remote(url))
    path = save_login(Login(url=url, token=token))
    who = Remote(url, token).get("/api/v1/session")
    print_line(f"logged in to {url} as {one_line(who['email'])} ({who['role']})")
    print_line(f"kept in {path}")


def _set_up(remote: Remote, token: str, email: str | None) -> str:
    address = email or str(typer.prompt("Your e-mail address", err=True))
    body = {
        "token": token,
        "organization": str(typer.prompt("Your organization", default="TameFlare", err=True)),
        "email": address,
        "name": str(typer.prompt("Your name", default=address.partition("@")[0], err=True)),
        "password": _password(new=True),
    }
    return _token_of(remote, "/api/v1/setup", body)


def _with_password(remote: Remote, email: str) -> str:
    body = {"email": email, "password": _password(new=False)}
    return _token_of(remote, "/api/v1/session", body)


def _token_of(remote: Remote, path: str, body: dict[str, str]) -> str:
    # The cookie of the session stays in the client of `remote`, and goes with it.
    session = remote.write("POST", path, body)
    remote.csrf(session["csrf"])
    made = remote.write(
        "POST", "/api/v1/me/tokens", {"name": f"tf on {socket.gethostname()}"[:200]}
    )
    remote.write("DELETE", "/api/v1/session")
    return str(made["token"])


def _with_code(remote: Remote) -> str:
    codes = remote.write(
        "POST", "/api/v1/login-codes", {"name": f"tf on {socket.gethostname()}"[:200]}
    )
    notice(f"your code is {codes['user_code']}")
    notice(f"confirm it at {one_line(codes['confirm_url'])}")
    notice(f"or where you are logged in: tf login --confirm {codes['user_code']}")
    until = time.monotonic() + codes["expires_in"]
    kept = {"device_code": codes["device_code"]}
    while time.monotonic() < until:
        time.sleep(codes["interval"])
        token = remote.write("POST", "/api/v1/login-codes/redeem", kept)["token"]
        if token:
            return str(token)
    raise CommandFailed(ExitCode.REFUSED, "nobody confirmed the code", "run `tf login` again")


def _password(*, new: bool) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Your password", hide_input=True, confirmation_prompt=new, err=True))
