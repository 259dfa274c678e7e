"""Checkpoints are signed by one key, which nobody sees."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tameflare_core.audit.checkpoint import KEY_FILE, Checkpoint, SigningKey, VerifyingKey
from tameflare_core.errors import VaultError

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.load_or_create(tmp_path)


def test_checkpoint_verifies_with_the_public_half(key: SigningKey) -> None:
    checkpoint = key.sign(seq=3, hash="a" * 64, time=AT)
    assert VerifyingKey.from_text(key.public.text).signed(checkpoint)
    assert Checkpoint.from_dict(checkpoint.to_dict()) == checkpoint


def test_any_change_voids_the_signature(key: SigningKey) -> None:
    checkpoint = key.sign(seq=3, hash="a" * 64, time=AT)
    for changed in (
        replace(checkpoint, seq=4),
        replace(checkpoint, hash="b" * 64),
        replace(checkpoint, time=AT.replace(year=2027)),
        replace(checkpoint, key_id="0" * 16),
        replace(checkpoint, signature="AAAA"),
        replace(checkpoint, signature="not base64"),
    ):
        assert not key.public.signed(changed)


def test_key_of_another_log_signs_nothing_here(key: SigningKey, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = SigningKey.load_or_create(tmp_path / "other")
    assert not key.public.signed(other.sign(seq=1, hash="a" * 64, time=AT))


def test_key_is_kept_privately_and_found_again(tmp_path: Path) -> None:
    one = SigningKey.load_or_create(tmp_path)
    assert SigningKey.load_or_create(tmp_path).public.id == one.public.id
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0


def test_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    SigningKey.load_or_create(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        SigningKey.load_or_create(tmp_path)


def test_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("abc")
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(VaultError, match="no audit key"):
        SigningKey.load_or_create(tmp_path)


def test_key_is_neither_shown_nor_copied(key: SigningKey) -> None:
    assert "PrivateKey" not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.copy(key)


@pytest.mark.parametrize("values", [None, {}, {"seq": True}, {"seq": 1, "hash": "a"}])
def test_other_documents_are_no_checkpoints(values: object) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        Checkpoint.from_dict(values)
