"""The control plane, as commands call it: who we are there, and what its refusals mean."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tameflare_cli.exit_codes import CommandFailed, ExitCode

if TYPE_CHECKING:
    import httpx

__all__ = ["DEFAULT_URL", "Login", "Remote", "connect", "load_login", "save_login"]

DEFAULT_URL = "http://127.0.0.1:8900"
"""Where `tf up` and `tf dashboard` serve the control plane unless told otherwise."""

_LOGIN_FILE = "login.json"
_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are at a control plane.

    Attributes:
        url: where it is.
        token: a personal access token.
    """

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Login(url={self.url!r})"


def load_login() -> Login:
    """The login of this user: from TAMEFLARE_URL and TAMEFLARE_TOKEN, else as `tf login` left it.

    Raises:
        CommandFailed: there is none.
    """
    from tameflare_core.folders import data_folder
    from tameflare_core.private_files import read_private

    url, token = os.environ.get("TAMEFLARE_URL"), os.environ.get("TAMEFLARE_TOKEN")
    if token:
        return Login(url=(url or DEFAULT_URL).rstrip("/"), token=token)
    path = data_folder() / _LOGIN_FILE
    try:
        document = json.loads(read_private(path))
        kept = Login(url=str(document["url"]), token=str(document["token"]))
    except FileNotFoundError:
        kept = None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise CommandFailed(
            ExitCode.BAD_CONFIG, f"{path}: cannot be read: {why}", "run `tf login` again"
        ) from None
    if kept is None or (url is not None and url.rstrip("/") != kept.url):
        raise CommandFailed(
            ExitCode.REFUSED,
            f"nobody is logged in to {url or 'a control plane'}",
            "run `tf login`, or set TAMEFLARE_URL and TAMEFLARE_TOKEN; `tf up` starts one here",
        )
    return kept


def save_login(login: Login) -> Path:
    """Keep a login, for this user alone.

    Raises:
        OSError: it cannot be written.
    """
    from tameflare_core.folders import data_folder
    from tameflare_core.private_files import replace

    path = data_folder() / _LOGIN_FILE
    replace(path, json.dumps({"url": login.url, "token": login.token}).encode() + b"\n")
    return path


class Remote:
    """Calls the REST API.

    Args:
        url: of the control plane.
        token: a personal access token; empty for the calls that nobody needs to be known for.
    """

    def __init__(self, url: str, token: str = "") -> None:
        import httpx

        self.url = url
        # The environment may say to go through a gateway: that is for agents.
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT,
            trust_env=False,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def csrf(self, token: str) -> None:
        """Send along with writes what shows that a session's own user makes them."""
        self._client.headers["X-CSRF-Token"] = token

    def get(self, path: str, **params: Any) -> Any:
        """What a GET answers."""
        given = {key: value for key, value in params.items() if value is not None}
        return self._call("GET", path, params=given).json()

    def get_version(self, path: str) -> tuple[str, Any]:
        """What a GET answers, after the version that an edit of it has to name."""
        answer = self._call("GET", path)
        return answer.headers.get("ETag", "*"), answer.json()

    def read(self, path: str) -> str:
        """What a GET answers, as text."""
        return self._call("GET", path).text

    def lines(self, path: str, **params: Any) -> Iterator[str]:
        """What a GET answers, line by line."""
        import httpx

        try:
            with self._client.stream("GET", path, params=params) as answer:
                if answer.is_error:
                    answer.read()
                    raise self._refused(answer)
                yield from (f"{line}\n" for line in answer.iter_lines())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from None

    def write(self, method: str, path: str, body: Any = None, *, version: str = "") -> Any:
        """What a write answers; None when that is nothing.

        Args:
            method: `POST`, `PUT`, `PATCH` or `DELETE`.
            path: below the control plane's URL.
            body: JSON values.
            version: for `If-Match`.
        """
        headers = {"If-Match": version} if version else {}
        answer = self._call(method, path, json=body, headers=headers)
        return answer.json() if answer.content else None

    def put_text(self, path: str, text: str) -> tuple[int, Any]:
        """PUT a YAML text; return the status and what is answered."""
        headers = {"Content-Type": "application/yaml"}
        answer = self._call("PUT", path, content=text.encode(), headers=headers)
        return answer.status_code, answer.json()

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._client.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from None
        if answer.is_error:
            raise self._refused(answer)
        return answer

    def _unreachable(self, error: Exception) -> CommandFailed:
        from tameflare_cli.rendering import one_line

        why = one_line(str(error) or type(error).__name__)
        return CommandFailed(
            ExitCode.UNREACHABLE,
            f"the control plane {self.url} gives no answer: {why}",
            "is it running? `tf up` starts one here",
        )

    def _refused(self, answer: httpx.Response) -> CommandFailed:
        from tameflare_cli.rendering import one_line

        try:
            document = answer.json()
            lines = [str(document["detail"]), *map(str, document.get("errors", ()))]
        except (ValueError, KeyError, TypeError):
            lines = [f"it answers with status {answer.status_code}"]
        codes = {422: ExitCode.BAD_CONFIG, 503: ExitCode.UNREACHABLE}
        return CommandFailed(
            codes.get(answer.status_code, ExitCode.REFUSED), "\n    ".join(map(one_line, lines))
        )


def connect() -> Remote:
    """The control plane that this user is logged in to.

    Raises:
        CommandFailed: to none.
    """
    login = load_login()
    return Remote(login.url, login.token)
