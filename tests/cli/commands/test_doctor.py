"""`tf doctor`: each fault is found, with what to do about it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tameflare_proxy.authority import Authority
from tests.cli.harness import Run

type Doctor = Callable[..., tuple[int, dict[str, tuple[str, str, str]]]]


@pytest.fixture
def doctor(tf: Run) -> Doctor:
    """Runs it; returns its exit code and, by check, state, message and advice of the worst."""

    def run(*arguments: str, **variables: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
        done = tf("doctor", "--json", *arguments, env=variables)
        found: dict[str, tuple[str, str, str]] = {}
        for finding in json.loads(done.stdout):
            check = finding.pop("check")
            if found.get(check, ("ok",))[0] == "ok":
                found[check] = finding["state"], finding["message"], finding["advice"]
        return done.returncode, found

    return run


@pytest.fixture
def authority_folder(environment: dict[str, str]) -> Path:
    return Path(environment["XDG_DATA_HOME"], "tameflare", "authority")


def test_healthy_machine_exits_0(doctor: Doctor) -> None:
    code, found = doctor("--listen", "127.0.0.1:0")
    assert code == 0
    assert "fault" not in {state for state, *_ in found.values()}
    assert len(found) == 10


def test_every_finding_that_is_not_ok_has_advice(doctor: Doctor) -> None:
    _, found = doctor("--config", "absent.yaml", NO_PROXY="localhost")
    assert all(advice for state, _, advice in found.values() if state != "ok")


def test_missing_configuration_is_a_fault(doctor: Doctor) -> None:
    code, found = doctor("--config", "absent.yaml")
    assert code == 5
    assert found["configuration"][:2] == ("fault", "no `absent.yaml`")


def test_wrong_configuration_is_a_fault(doctor: Doctor, folder: Path) -> None:
    (folder / "tameflare.yaml").write_text("version: 1\ngateway: x\nnonsense: 1\n")
    assert doctor()[1]["configuration"][1] == "tameflare.yaml:3: nonsense: unknown key"


def test_unset_credential_is_a_fault(doctor: Doctor, folder: Path) -> None:
    config = folder / "tameflare.yaml"
    config.write_text(
        config.read_text().replace("github\n", "github\n    credential: env:CRM_KEY\n", 1)
    )
    code, found = doctor()
    assert (code, found["credential"][0]) == (5, "fault")
    assert "`CRM_KEY` is not set" in found["credential"][1]
    assert doctor(CRM_KEY="k")[1]["credential"][0] == "ok"


def test_readable_vault_key_is_a_fault(
    doctor: Doctor, tf: Run, environment: dict[str, str]
) -> None:
    assert doctor()[1]["vault key"][0] == "ok"
    tf("credentials", "add", "one", stdin="secret")
    key = Path(environment["XDG_DATA_HOME"], "tameflare", "vault.key")
    key.chmod(0o644)
    _, found = doctor()
    assert found["vault key"][0] == "fault"
    assert "chmod 600" in found["vault key"][1]


def test_wrong_vault_key_variable_is_a_fault(doctor: Doctor) -> None:
    assert doctor(TAMEFLARE_VAULT_KEY="nonsense")[1]["vault key"][0] == "fault"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (timedelta(days=-3700), "expired on"),
        (timedelta(days=30), "valid from"),
    ],
)
def test_authority_out_of_its_time_is_a_fault(
    doctor: Doctor, authority_folder: Path, made: timedelta, words: str
) -> None:
    then = datetime.now(UTC) + made
    Authority.load_or_create(authority_folder, now=lambda: then)
    code, found = doctor()
    assert (code, found["authority"][0]) == (5, "fault")
    assert words in found["authority"][1]
    assert "clock" in found["authority"][2]


def test_readable_authority_key_is_a_fault(doctor: Doctor, authority_folder: Path) -> None:
    Authority.load_or_create(authority_folder)
    assert doctor()[1]["authority"][0] == "ok"
    (authority_folder / "ca.key").chmod(0o640)
    assert "chmod 600" in doctor()[1]["authority"][1]
    (authority_folder / "ca.key").unlink()
    assert "is missing" in doctor()[1]["authority"][1]
    (authority_folder / "ca.pem").write_text("nonsense")
    assert "is damaged" in doctor()[1]["authority"][1]


def test_roots_without_certificates_are_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text("nothing")
    assert doctor(SSL_CERT_FILE=str(roots))[1]["system roots"][0] == "fault"


def test_taken_address_is_a_warning(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code, found = doctor("--listen", f"127.0.0.1:{server.getsockname()[1]}")
    assert (code, found["address"][0]) == (0, "warning")
    assert "--listen" in found["address"][2]


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_is_a_warning(doctor: Doctor, name: str) -> None:
    _, found = doctor(**{name: "localhost"})
    assert found["environment"][0] == "warning"
    assert name in found["environment"][1]


def test_unwritable_log_is_a_fault(doctor: Doctor, environment: dict[str, str]) -> None:
    Path(environment["XDG_STATE_HOME"], "tameflare", "traffic.jsonl").mkdir(parents=True)
    assert doctor()[1]["traffic log"][0] == "fault"


def test_missing_gateway_package_is_a_fault(environment: dict[str, str], folder: Path) -> None:
    script = (
        "import sys; sys.modules['tameflare_proxy'] = None; sys.argv = ['tf', 'doctor'];"
        "from tameflare_cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 5, done.stderr
    assert "the gateway is not installed" in done.stdout


def test_human_sees_advice_below_the_finding(tf: Run) -> None:
    lines = tf("doctor", "--config", "absent.yaml").stdout.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith("fault    configuration"))
    assert "tf init" in lines[index + 1]
