"""What is sealed for a token opens with nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import VaultError
from tameflare_core.sync.sealing import derived_key, open_for_token, seal_for_token
from tameflare_core.tokens import new_gateway_token
from tameflare_core.vault.secret import Secret

TOKEN = new_gateway_token()


@given(st.text())
def test_any_secret_comes_back(text: str) -> None:
    sealed = seal_for_token(TOKEN, Secret(text), gateway="gw_1", name="n", version=1)
    opened = open_for_token(TOKEN, sealed, gateway="gw_1", name="n", version=1)
    assert opened.reveal() == text


@given(st.integers(0, 8 * 40 - 1))
def test_any_bit_flipped_is_refused(bit: int) -> None:
    sealed = seal_for_token(TOKEN, Secret("s" * 12), gateway="gw_1", name="n", version=1)
    data = bytearray(base64.b64decode(sealed))
    data[bit // 8] ^= 1 << bit % 8
    changed = base64.b64encode(bytes(data)).decode()
    with pytest.raises(VaultError):
        open_for_token(TOKEN, changed, gateway="gw_1", name="n", version=1)


def test_parts_do_not_run_into_one_another() -> None:
    sealed = seal_for_token(TOKEN, Secret("s"), gateway="ab", name="c", version=1)
    with pytest.raises(VaultError):
        open_for_token(TOKEN, sealed, gateway="a", name="bc", version=1)


def test_keys_of_two_purposes_differ() -> None:
    assert derived_key(TOKEN, "a") != derived_key(TOKEN, "b")
    assert derived_key(TOKEN, "a") != derived_key(new_gateway_token(), "a")


@pytest.mark.parametrize("text", ["", "x", "ö", "AAAA"])
def test_what_is_not_sealed_is_refused(text: str) -> None:
    with pytest.raises(VaultError):
        open_for_token(TOKEN, text, gateway="gw_1", name="n", version=1)
