"""`tf run`: which gateway, what it says, and that everything is gone afterwards."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from tests.cli.harness import Run
from tests.standin import Standin

PYTHON = sys.executable
SHOW = (
    "import json, os; from pathlib import Path; bundle = Path(os.environ['SSL_CERT_FILE']);"
    "print(json.dumps([dict(os.environ), str(bundle.parent), bundle.parent.stat().st_mode]))"
)

CONFIG = """\
version: 1
gateway: service
connectors:
  - type: generic
    id: service
    hosts: ["localhost:{port}"]
    allow_private_network: true
    ca_file: {ca_file}
    credential: env:SERVICE_KEY
permissions:
  - {{connector: service, action: "http.*", access: read, decision: allow}}
"""

GET = "import urllib.request as r; print(r.urlopen('https://localhost:{port}/').status)"


def test_child_sees_the_gateway_and_not_the_key(tf: Run, folder: Path, standin: Standin) -> None:
    (folder / "service.yaml").write_text(CONFIG.format(port=standin.port, ca_file=standin.ca_file))
    program = f"{GET.format(port=standin.port)}; {SHOW}"
    done = tf(
        "run", "--config", "service.yaml", "--", PYTHON, "-c", program,
        env={"SERVICE_KEY": "real_0123456789"},
    )  # fmt: skip
    status, shown = done.stdout.splitlines()
    variables, run_folder, mode = json.loads(shown)
    assert status == "200"
    assert standin.requests[0].header("Authorization") == "Bearer real_0123456789"
    assert "real_0123456789" not in done.stdout
    assert variables["HTTPS_PROXY"].startswith("http://gwtk_")
    assert mode & 0o777 == 0o700
    assert not Path(run_folder).exists()


def test_removed_keys_are_named_and_never_shown(tf: Run, elsewhere: tuple[str, ...]) -> None:
    arguments = [argument for argument in elsewhere if argument != "--quiet"]
    done = tf("run", *arguments, "true", env={"GITHUB_TOKEN": "ghp_0123456789"})
    assert "tf: kept from the program: GITHUB_TOKEN\n" in done.stderr
    assert "ghp_0123456789" not in done.stderr


def test_missing_sandbox_is_said_once(tf: Run, elsewhere: tuple[str, ...]) -> None:
    arguments = [argument for argument in elsewhere if argument != "--quiet"]
    assert tf("run", *arguments, "true").stderr.count("no sandbox") == 1
    assert tf("run", *elsewhere, "true").stderr == ""


def test_each_run_has_a_token_of_its_own(tf: Run) -> None:
    tokens = {
        json.loads(tf("run", "--quiet", "--", PYTHON, "-c", SHOW).stdout)[0]["HTTPS_PROXY"]
        for _ in range(2)
    }
    assert len({token.rpartition("@")[0] for token in tokens}) == 2


def test_token_is_read_from_the_environment(tf: Run, listening: int, authority_file: Path) -> None:
    done = tf(
        *("run", "--proxy", f"http://127.0.0.1:{listening}", "--ca", str(authority_file)),
        *("--", PYTHON, "-c", SHOW),
        env={"TAMEFLARE_GATEWAY_TOKEN": "gwtk_given"},
    )
    variables = json.loads(done.stdout)[0]
    assert variables["HTTPS_PROXY"] == f"http://gwtk_given:x@127.0.0.1:{listening}"
    assert "TAMEFLARE_GATEWAY_TOKEN" not in variables


def test_unreachable_gateway_exits_3(tf: Run, authority_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = tf("run", "--proxy", f"http://t:@127.0.0.1:{port}", "--ca", str(authority_file), "true")
    assert done.returncode == 3
    assert f"no gateway answers at 127.0.0.1:{port}" in done.stderr
    assert "tf gateway" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--proxy", "http://t:@127.0.0.1:1", "true"),
        ("--ca", "ca.pem", "true"),
        ("--config", "tameflare.yaml", "--proxy", "http://t:@127.0.0.1:1", "true"),
        ("--proxy", "socks5://t:@127.0.0.1:1", "--ca", "ca.pem", "true"),
        ("--proxy", "http://t:@127.0.0.1:x", "--ca", "ca.pem", "true"),
        ("--proxy", "http://127.0.0.1:1", "--ca", "ca.pem", "true"),
        ("--no-such-option", "true"),
    ],
)
def test_wrong_usage_exits_2(tf: Run, arguments: tuple[str, ...]) -> None:
    assert tf("run", *arguments).returncode == 2


def test_token_in_a_wrong_url_is_not_repeated(tf: Run) -> None:
    done = tf("run", "--proxy", "http://gwtk_secret:@127.0.0.1", "--ca", "ca.pem", "true")
    assert done.returncode == 2
    assert "gwtk_secret" not in done.stderr


def test_no_configuration_exits_2_and_says_what_to_do(tf: Run, tmp_path: Path) -> None:
    done = tf("run", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert "tf init" in done.stderr


def test_wrong_configuration_exits_5(tf: Run, folder: Path) -> None:
    (folder / "tameflare.yaml").write_text("version: 1\ngateway: x\nnonsense: 1\n")
    done = tf("run", "true")
    assert done.returncode == 5
    assert "tameflare.yaml:3: nonsense: unknown key" in done.stderr
    assert "Traceback" not in done.stderr


def test_gateway_elsewhere_needs_no_core_and_no_proxy(tf: Run, elsewhere: tuple[str, ...]) -> None:
    tf("run", *elsewhere, "true")  # makes the Java trust store
    done = tf("run", *elsewhere, "true", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "tameflare_cli.child" in imported
    assert not imported & {"pydantic", "cryptography", "mitmproxy", "rich", "tameflare_proxy"}
