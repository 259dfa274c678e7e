from __future__ import annotations

import base64
import copy
import os
import pickle
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tameflare_core.errors import VaultError
from tameflare_core.vault.keyring import KEY_FILE, KEY_VARIABLE, KeyEncryptionKey, load_key
from tests.at_once import run_at_once

RAW = bytes(range(32))
TEXT = base64.b64encode(RAW).decode()


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_wrapped_key_unwraps_again(key: KeyEncryptionKey) -> None:
    assert key.unwrap(key.wrap(b"data key")) == b"data key"


def test_wrapping_is_bound_to_purpose_and_key_id(key: KeyEncryptionKey) -> None:
    # Written out once: what is wrapped must stay readable when this library is updated.
    wrapped = key.wrap(b"data key")
    bound = b"tameflare data key 1:" + key.id.encode()
    assert AESGCM(RAW).decrypt(wrapped[:12], wrapped[12:], bound) == b"data key"


def test_other_key_does_not_unwrap(key: KeyEncryptionKey) -> None:
    with pytest.raises(VaultError):
        KeyEncryptionKey(bytes(32)).unwrap(key.wrap(b"data key"))


@pytest.mark.parametrize("wrapped", [b"", b"x" * 11, b"x" * 12, b"x" * 60])
def test_damaged_wrapping_is_refused(key: KeyEncryptionKey, wrapped: bytes) -> None:
    with pytest.raises(VaultError):
        key.unwrap(wrapped)


def test_id_tells_keys_apart() -> None:
    assert KeyEncryptionKey(RAW).id == KeyEncryptionKey(RAW).id
    assert KeyEncryptionKey(RAW).id != KeyEncryptionKey(bytes(32)).id


def test_key_is_never_shown(key: KeyEncryptionKey) -> None:
    assert repr(key) == f"KeyEncryptionKey(id='{key.id}')"
    for form in (TEXT, RAW.hex(), repr(RAW)):
        assert form not in f"{key} {key!r}"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_key_cannot_be_copied(take: object, key: KeyEncryptionKey) -> None:
    assert callable(take)
    with pytest.raises(TypeError, match="vault key"):
        take(key)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(VaultError, match="32 bytes"):
        KeyEncryptionKey(bytes(length))


def test_variable_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f" {TEXT}\n")
    assert load_key(tmp_path).id == KeyEncryptionKey(RAW).id
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "short", TEXT[:-4], TEXT + "AAAA", "é" * 44, TEXT + "\x01"])
def test_bad_variable_is_a_clear_error(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, value)
    with pytest.raises(VaultError) as raised:
        load_key(tmp_path)
    message = str(raised.value)
    assert f"`{KEY_VARIABLE}`" in message
    assert "openssl rand -base64 32" in message
    assert not value or value not in message
    assert list(tmp_path.iterdir()) == []


def test_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = load_key(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert load_key(tmp_path).id == first.id


def test_key_file_is_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    load_key()
    assert (tmp_path / "tameflare" / KEY_FILE).is_file()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_key_file_open_to_others_is_refused(mode: int, tmp_path: Path) -> None:
    load_key(tmp_path)
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(VaultError) as raised:
        load_key(tmp_path)
    assert str(raised.value).startswith(f"{path}: ")
    assert f"`chmod 600 {path}`" in str(raised.value)


def test_damaged_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.touch(0o600)
    with pytest.raises(VaultError, match="not the base64 of 32 bytes") as raised:
        load_key(tmp_path)
    assert str(path) in str(raised.value)


def test_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VaultError, match="Not a directory") as raised:
        load_key(tmp_path / "file")
    assert str(tmp_path / "file") in str(raised.value)


def test_data_folder_that_cannot_be_made_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(VaultError, match="Not a directory"):
        load_key()


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    ids = run_at_once(
        "from pathlib import Path; from tameflare_core.vault.keyring import load_key",
        "print(load_key(Path(sys.argv[1])).id)",
        [[tmp_path]] * 6,
    )
    assert set(ids) == {f"{load_key(tmp_path).id}\n"}
