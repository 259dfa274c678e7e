from __future__ import annotations

import base64
import os
import threading
import traceback
from pathlib import Path

import pytest

from tameflare_core.builtin.credentials import EnvironmentSource, FileSource, VaultSource
from tameflare_core.errors import CredentialError, VaultError
from tameflare_core.plugins import load_plugins
from tameflare_core.vault.keyring import KEY_VARIABLE, load_key
from tameflare_core.vault.secret import Secret
from tameflare_core.vault.store import VAULT_FILE, VaultFile

PLAIN = "ghp_REAL"


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_built_in_sources_are_registered() -> None:
    sources = load_plugins(entry_points=False).credential_sources
    assert {"env", "file", "vault"} <= set(sources)


def test_variable_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = EnvironmentSource()
    for value in ("one", "two"):
        monkeypatch.setenv("TF_TEST_TOKEN", value)
        assert source.resolve("TF_TEST_TOKEN", tmp_path).reveal() == value


@pytest.mark.parametrize("value", [None, ""])
def test_missing_variable_says_what_to_do(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_TEST_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_TEST_TOKEN", value)
    with pytest.raises(CredentialError, match="`TF_TEST_TOKEN` is not set: set it where"):
        EnvironmentSource().resolve("TF_TEST_TOKEN", tmp_path)


@pytest.mark.parametrize("name", ["sk-proj-REAL", "A=B", "1A", "A\n", "é"])
def test_what_is_no_variable_is_not_repeated(name: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialError) as raised:
        EnvironmentSource().resolve(name, tmp_path)
    assert name not in str(raised.value)


def test_undecodable_variable_is_refused_without_it(tmp_path: Path) -> None:
    os.environb[b"TF_TEST_TOKEN"] = b"ghp_REAL\xff"
    try:
        with pytest.raises(CredentialError, match="is not UTF-8") as raised:
            EnvironmentSource().resolve("TF_TEST_TOKEN", tmp_path)
    finally:
        del os.environb[b"TF_TEST_TOKEN"]
    assert_holds_no_secret(raised.value)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"ghp_REAL", "ghp_REAL"),
        (b"ghp_REAL\n", "ghp_REAL"),
        (b"ghp_REAL\r\n", "ghp_REAL"),
        (b"ghp_REAL\n\n", "ghp_REAL\n"),
        (b" a b ", " a b "),
        ("schlüssel\n".encode(), "schlüssel"),
    ],
)
def test_file_loses_one_line_break(content: bytes, secret: str, tmp_path: Path) -> None:
    private(tmp_path / "key", content)
    assert FileSource().resolve("key", tmp_path).reveal() == secret


def test_file_name_starts_at_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    path = private(tmp_path / "keys" / "github", PLAIN.encode())
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("keys/github", "../keys/github", str(path), "~/keys/github"):
        folder = tmp_path / "keys" if name.startswith("..") else tmp_path
        assert FileSource().resolve(name, folder) == Secret(PLAIN)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_file_open_to_others_is_refused(mode: int, tmp_path: Path) -> None:
    path = private(tmp_path / "key", PLAIN.encode())
    path.chmod(mode)
    with pytest.raises(CredentialError) as raised:
        FileSource().resolve("key", tmp_path)
    assert str(path) in str(raised.value)
    assert f"`chmod 600 {path}`" in str(raised.value)
    assert_holds_no_secret(raised.value)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=f"{tmp_path / 'key'}: No such file"):
        FileSource().resolve("key", tmp_path)


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "empty"), (b"\n", "empty"), (b"ghp_REAL\xff", "not UTF-8")]
)
def test_file_without_a_secret_is_named(content: bytes, why: str, tmp_path: Path) -> None:
    path = private(tmp_path / "key", content)
    with pytest.raises(CredentialError, match=f"{path}: it is {why}") as raised:
        FileSource().resolve("key", tmp_path)
    assert_holds_no_secret(raised.value)


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, of a user who has no vault key yet."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    project = tmp_path / "project"
    project.mkdir()
    return project


def test_vault_beside_the_configuration_is_read(user: Path) -> None:
    VaultFile(user / VAULT_FILE, load_key()).put("ghe", Secret(PLAIN))
    assert VaultSource().resolve("ghe", user) == Secret(PLAIN)


def test_changed_credential_is_seen_at_once(user: Path) -> None:
    vault, source = VaultFile(user / VAULT_FILE, load_key()), VaultSource()
    for value in ("one", "two"):
        vault.put("ghe", Secret(value))
        assert source.resolve("ghe", user).reveal() == value


def test_absent_credential_says_how_to_add_it(user: Path) -> None:
    with pytest.raises(VaultError, match="add it with `tf credentials add ghe`"):
        VaultSource().resolve("ghe", user)


def test_bad_key_is_asked_for_again(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = VaultSource()
    monkeypatch.setenv(KEY_VARIABLE, "bad")
    with pytest.raises(VaultError, match=KEY_VARIABLE):
        source.resolve("ghe", user)
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(32)).decode())
    VaultFile(user / VAULT_FILE, load_key()).put("ghe", Secret(PLAIN))
    assert source.resolve("ghe", user) == Secret(PLAIN)


def test_threads_can_read_at_once(user: Path) -> None:
    VaultFile(user / VAULT_FILE, load_key()).put("ghe", Secret(PLAIN))
    source, barrier, seen = VaultSource(), threading.Barrier(8), list[Secret]()

    def read() -> None:
        barrier.wait(10)
        seen.extend(source.resolve("ghe", user) for _ in range(20))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [Secret(PLAIN)] * 160


def assert_holds_no_secret(error: BaseException) -> None:
    assert PLAIN not in str(error)
    assert not isinstance(error.__context__, UnicodeError)  # it would carry all of the text
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename != __file__:
            assert PLAIN not in repr(frame.f_locals)
