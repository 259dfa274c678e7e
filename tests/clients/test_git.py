"""git as it is, behind `tf run`: it fetches, and its pushes are judged ref by ref."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.harness import TF, Open, Run
from tests.standin import Received, Reply, Standin

REAL_KEY = "ghp_the_real_one"

CONFIG = """\
version: 1
gateway: coder
connectors:
  - type: github
    base_url: https://localhost:{port}/api/v3
    credential: file:github.key
    allow_private_network: true
    ca_file: {ca_file}
permissions:
  - {{connector: github, action: github.git.fetch, resource: {{owner: acme}}, decision: allow}}
  - {{connector: github, action: github.git.push, resource: {{owner: acme}}, decision: allow}}
  - {{connector: github, action: github.git.push, resource: {{branch: main}}, decision: deny}}
  - {{connector: github, action: github.git.push, resource: {{branch: held}},
      decision: require_approval}}
  - {{connector: github, action: github.git.push.delete, resource: {{branch: old}},
      decision: allow}}
"""


@dataclass
class Server:
    """A bare repository behind git's own HTTP server, and a clone of it."""

    standin: Standin
    bare: Path
    clone: Path
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"{self.standin.url}/acme/site.git"

    def git(self, *arguments: str, where: Path | None = None) -> str:
        """Run git without a gateway."""
        done = subprocess.run(
            ["git", "-C", str(where or self.clone), *arguments],
            capture_output=True,
            check=True,
            env=self.environment,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, name: str, data: bytes) -> str:
        """Commit a file in the clone; return the commit's id."""
        (self.clone / name).write_bytes(data)
        self.git("add", name)
        self.git("commit", "--quiet", "-m", f"add {name}")
        return self.git("rev-parse", "HEAD")

    def refs(self) -> dict[str, str]:
        """What the server has."""
        lines = self.git(
            "for-each-ref", "--format=%(refname) %(objectname)", where=self.bare
        ).splitlines()
        return dict(line.split(" ") for line in lines)

    @property
    def posted(self) -> list[str]:
        """Where POST requests went."""
        return [one.target.rpartition("/")[2] for one in self.standin.requests if one.body]


@pytest.fixture
def server(standin: Standin, folder: Path, environment: dict[str, str]) -> Server:
    assert shutil.which("git"), "git is needed"
    (folder / "tameflare.yaml").write_text(
        CONFIG.format(port=standin.port, ca_file=standin.ca_file)
    )
    key = folder / "github.key"
    key.touch(mode=0o600)
    key.write_text(REAL_KEY)
    names = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    environment |= names
    root = folder / "served"
    served = Server(standin, root / "acme" / "site.git", folder / "clone", environment)
    served.bare.mkdir(parents=True)
    served.git("init", "--quiet", "--bare", "-b", "main", where=served.bare)
    served.git("config", "http.receivepack", "true", where=served.bare)
    served.git("config", "receive.advertisePushOptions", "true", where=served.bare)
    served.git("clone", "--quiet", str(served.bare), str(served.clone), where=folder)
    served.commit("readme", b"hello")
    served.git("push", "--quiet", "origin", "HEAD:main", "HEAD:old")
    served.git("remote", "set-url", "origin", served.url)
    backend = http_backend(root, environment["PATH"])
    for path in ("info/refs", "git-upload-pack", "git-receive-pack"):
        for method in ("GET", "POST"):
            standin.answer(method, f"/acme/site.git/{path}", backend)
    return served


def http_backend(root: Path, path: str) -> Callable[[Received], Reply]:
    """git's own server, as a CGI program that wants a user for pushes."""

    def answer(request: Received) -> Reply:
        target, _, query = request.target.partition("?")
        known = {
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(root),
            "PATH": path,
            "PATH_INFO": target,
            "QUERY_STRING": query,
            "REMOTE_USER": "x-access-token",
            "REQUEST_METHOD": request.method,
            "CONTENT_LENGTH": str(len(request.body)),
            "CONTENT_TYPE": request.header("content-type") or "",
            "GIT_PROTOCOL": request.header("git-protocol") or "",
            "HTTP_CONTENT_ENCODING": request.header("content-encoding") or "",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=request.body, capture_output=True, check=True, env=known
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        headers = [(name, value) for name, value in fields]
        status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
        return Reply(status, [pair for pair in headers if pair[0] != "Status"], body)

    return answer


def run(*arguments: str) -> list[str]:
    return ["run", "--quiet", "--", "git", *arguments]


def test_clone_gets_the_credential(server: Server, tf: Run, folder: Path) -> None:
    done = tf(*run("clone", "--quiet", server.url, "copy"))
    assert done.returncode == 0, done.stderr
    assert (folder / "copy" / "readme").read_bytes() == b"hello"
    assert {one.header("authorization") for one in server.standin.requests} == {
        "Basic eC1hY2Nlc3MtdG9rZW46Z2hwX3RoZV9yZWFsX29uZQ=="
    }


def test_credential_of_the_url_is_replaced(server: Server, tf: Run) -> None:
    url = server.url.replace("https://", "https://x:placeholder@")
    done = tf(*run("ls-remote", url))
    assert "refs/heads/main" in done.stdout, done.stderr
    assert all(
        "placeholder" not in str(one.headers) and one.header("authorization")
        for one in server.standin.requests
    )


def test_small_and_large_pushes_pass(server: Server, tf: Run) -> None:
    small = server.commit("small", b"x")
    done = tf(*run("-C", "clone", "push", "origin", "HEAD:refs/heads/small"))
    assert done.returncode == 0, done.stderr
    assert server.refs()["refs/heads/small"] == small
    # Above http.postBuffer git tries its access first and sends the pack in chunks.
    large = server.commit("large", os.urandom(3 * 1024 * 1024))
    done = tf(*run("-C", "clone", "push", "-o", "ci.skip", "origin", "HEAD:refs/heads/large"))
    assert done.returncode == 0, done.stderr
    assert server.refs()["refs/heads/large"] == large
    probe, push = server.standin.requests[-2:]
    assert (probe.body, push.header("transfer-encoding")) == (b"0000", "chunked")
    assert len(push.body) > 3 * 1024 * 1024


def test_push_to_a_denied_branch_is_refused(server: Server, tf: Run) -> None:
    before = server.refs()
    server.commit("large", os.urandom(2 * 1024 * 1024))
    done = tf(*run("-C", "clone", "push", "origin", "HEAD:main"))
    assert done.returncode != 0
    assert "403" in done.stderr
    # One ref that is denied takes those beside it along.
    done = tf(*run("-C", "clone", "push", "origin", "HEAD:refs/heads/free", "HEAD:main"))
    assert done.returncode != 0
    assert server.refs() == before
    # Only that git tried whether it may push at all.
    assert server.posted == ["git-receive-pack"] * 2
    assert {one.body for one in server.standin.requests} <= {b"", b"0000"}


def test_delete_is_an_action_of_its_own(server: Server, tf: Run) -> None:
    done = tf(*run("-C", "clone", "push", "origin", ":old"))
    assert done.returncode == 0, done.stderr
    assert set(server.refs()) == {"refs/heads/main"}
    assert tf(*run("-C", "clone", "push", "origin", "HEAD:refs/heads/kept")).returncode == 0
    done = tf(*run("-C", "clone", "push", "origin", ":kept"))
    assert done.returncode != 0
    assert "refs/heads/kept" in server.refs()


@pytest.mark.parametrize("size", [10, 2 * 1024 * 1024])
def test_held_push_is_asked_about_once(server: Server, screen: Open, size: int) -> None:
    new = server.commit("more", os.urandom(size))
    terminal = screen(*TF, *run("-C", "clone", "push", "origin", "HEAD:refs/heads/held"))
    question = terminal.wait_for("[d]eny?")
    assert "github.git.push" in question
    assert "ref=heads/held" in question
    assert new in question
    assert "refs/heads/held" not in server.refs()
    terminal.type("a\n")
    assert terminal.exit_status() == 0
    assert "pprove once" not in terminal.shown
    assert server.refs()["refs/heads/held"] == new
