from __future__ import annotations

import dataclasses
import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import VaultError
from tameflare_core.vault.envelope import SealedCredential, open_sealed, seal
from tameflare_core.vault.keyring import KeyEncryptionKey
from tameflare_core.vault.secret import Secret

KEY = KeyEncryptionKey(bytes(range(32)))
OTHER_KEY = KeyEncryptionKey(bytes(32))
PLAIN = "ghp_REAL"

names = st.text(st.characters(codec="utf-8"), max_size=20)


def sealed(version: int = 1) -> SealedCredential:
    return seal(Secret(PLAIN), KEY, org="local", credential="github", version=version)


@given(st.text(), names, names, st.integers(1, 2**40))
def test_what_is_sealed_opens_again(text: str, org: str, credential: str, version: int) -> None:
    box = seal(Secret(text), KEY, org=org, credential=credential, version=version)
    document = json.loads(json.dumps(box.to_dict()))
    again = SealedCredential.from_dict(document)
    assert again == box
    assert open_sealed(again, KEY, org=org, credential=credential).reveal() == text


@given(st.sampled_from(["wrapped_key", "ciphertext"]), st.integers(0))
def test_any_flipped_bit_is_refused(field: str, position: int) -> None:
    box = sealed()
    data = bytearray(getattr(box, field))
    bit = position % (len(data) * 8)
    data[bit // 8] ^= 1 << bit % 8
    changes: dict[str, Any] = {field: bytes(data)}
    with pytest.raises(VaultError):
        open_sealed(dataclasses.replace(box, **changes), KEY, org="local", credential="github")


@given(st.integers(0))
def test_any_flipped_bit_of_its_document_is_refused(position: int) -> None:
    text = bytearray(json.dumps(sealed().to_dict()).encode())
    bit = position % (len(text) * 8)
    text[bit // 8] ^= 1 << bit % 8
    try:
        document = json.loads(text)
    except ValueError:
        return
    with pytest.raises(VaultError):
        open_sealed(SealedCredential.from_dict(document), KEY, org="local", credential="github")


@given(st.sampled_from(["wrapped_key", "ciphertext"]), st.integers(0, 200))
def test_any_truncation_is_refused(field: str, length: int) -> None:
    box = sealed()
    data = getattr(box, field)
    cut = dataclasses.replace(box, **{field: data[: length % len(data)]})
    with pytest.raises(VaultError):
        open_sealed(cut, KEY, org="local", credential="github")


@given(names, names)
def test_another_org_or_credential_is_refused(org: str, credential: str) -> None:
    box = sealed()
    if (org, credential) == ("local", "github"):
        return
    with pytest.raises(VaultError):
        open_sealed(box, KEY, org=org, credential=credential)


@pytest.mark.parametrize(("org", "credential"), [("localg", "ithub"), ("", "localgithub")])
def test_names_do_not_run_over_into_each_other(org: str, credential: str) -> None:
    with pytest.raises(VaultError):
        open_sealed(sealed(), KEY, org=org, credential=credential)


def test_another_version_is_refused() -> None:
    box = dataclasses.replace(sealed(version=1), version=2)
    with pytest.raises(VaultError):
        open_sealed(box, KEY, org="local", credential="github")


def test_another_key_is_refused() -> None:
    box = sealed()
    for claimed in (box, dataclasses.replace(box, key_id=OTHER_KEY.id)):
        with pytest.raises(VaultError):
            open_sealed(claimed, OTHER_KEY, org="local", credential="github")


def test_data_key_of_another_credential_is_refused() -> None:
    box = dataclasses.replace(sealed(), wrapped_key=sealed().wrapped_key)
    with pytest.raises(VaultError):
        open_sealed(box, KEY, org="local", credential="github")


def test_failures_are_told_alike() -> None:
    box = sealed()
    messages = set()
    for broken, key in [
        (dataclasses.replace(box, version=2), KEY),
        (dataclasses.replace(box, ciphertext=b""), KEY),
        (dataclasses.replace(box, wrapped_key=b"x" * 60), KEY),
        (box, OTHER_KEY),
    ]:
        with pytest.raises(VaultError) as raised:
            open_sealed(broken, key, org="local", credential="github")
        assert "During handling" not in "".join(traceback.format_exception(raised.value))
        messages.add(str(raised.value))
    assert messages == {"the sealed credential cannot be opened"}


def test_sealing_twice_gives_nothing_in_common() -> None:
    first, second = sealed(), sealed()
    assert first.wrapped_key != second.wrapped_key
    assert first.ciphertext != second.ciphertext


def test_sealed_form_shows_neither_secret_nor_key() -> None:
    text = repr(sealed()) + json.dumps(sealed().to_dict())
    assert PLAIN not in text
    assert bytes(range(32)).hex() not in text


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"key_id": None},
        {"wrapped_key": 1},
        {"wrapped_key": "%%%%"},
        {"ciphertext": "QR=="},  # the same byte as QQ==, spelt otherwise
        {"ciphertext": "QQ==\n"},
        {"ciphertext": "é"},
        {"more": "fields"},
    ],
)
def test_document_is_read_strictly(change: dict[str, object]) -> None:
    with pytest.raises(VaultError):
        SealedCredential.from_dict(sealed().to_dict() | change)


@pytest.mark.parametrize("document", [{}, [], None, "text", 7])
def test_other_documents_are_refused(document: object) -> None:
    with pytest.raises(VaultError):
        SealedCredential.from_dict(document)
