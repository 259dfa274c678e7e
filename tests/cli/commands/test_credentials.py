"""`tf credentials`: in without an echo, listed without a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.harness import TF, Open, Run

SECRET = "ghp_0123456789"


def test_piped_credential_is_kept_sealed(tf: Run, folder: Path) -> None:
    done = tf("credentials", "add", "github", stdin=f"{SECRET}\n")
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
    assert SECRET not in (folder / ".tf" / "vault.json").read_text()
    config = folder / "tameflare.yaml"
    config.write_text(
        config.read_text().replace("github\n", "github\n    credential: vault:github\n", 1)
    )
    findings = json.loads(tf("doctor", "--json").stdout)
    assert ("ok", "github: vault:github") in [(f["state"], f["message"]) for f in findings]


def test_typed_credential_is_not_echoed(screen: Open, tf: Run) -> None:
    shown = screen(*TF, "credentials", "add", "github")
    prompt = shown.wait_for("Secret for github: ")
    shown.type(f"{SECRET}\n")
    assert shown.exit_status() == 0
    assert SECRET not in prompt + shown.shown
    assert json.loads(tf("credentials", "list", "--json").stdout) == [
        {"name": "github", "version": 1}
    ]


def test_list_shows_names_and_versions_alone(tf: Run) -> None:
    for name in ("one", "two", "two"):
        tf("credentials", "add", name, stdin=SECRET)
    listed = tf("credentials", "list")
    assert listed.stdout.splitlines() == ["name  version", "one   1", "two   2"]


def test_removed_credential_is_gone(tf: Run) -> None:
    tf("credentials", "add", "one", stdin=SECRET)
    assert tf("credentials", "remove", "one").returncode == 0
    assert json.loads(tf("credentials", "list", "--json").stdout) == []
    again = tf("credentials", "remove", "one")
    assert again.returncode == 5
    assert "no credential `one`" in again.stderr


@pytest.mark.parametrize("secret", [b"", b"\n", b"two\nlines\n", b"\xff"])
def test_what_is_no_secret_is_refused_with_2(tf: Run, folder: Path, secret: bytes) -> None:
    done = tf("credentials", "add", "one", stdin=secret)
    assert done.returncode == 2
    assert not (folder / ".tf").exists()


def test_secret_is_never_an_argument(tf: Run, folder: Path) -> None:
    assert tf("credentials", "add", "one", SECRET).returncode == 2
    assert not (folder / ".tf").exists()


def test_vault_lies_beside_the_named_configuration(tf: Run, folder: Path, tmp_path: Path) -> None:
    config = str(folder / "tameflare.yaml")
    tf("credentials", "add", "one", "--config", config, stdin=SECRET, cwd=tmp_path)
    assert (folder / ".tf" / "vault.json").exists()


def test_wrong_name_exits_5(tf: Run) -> None:
    assert tf("credentials", "add", "-x", stdin=SECRET).returncode == 2
    assert tf("credentials", "add", "a/b", stdin=SECRET).returncode == 5
