from __future__ import annotations

import hashlib
import re
import string

from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.tokens import is_well_formed, new_gateway_token, token_digest

TOKEN = new_gateway_token()


def test_token_has_prefix_random_part_and_checksum() -> None:
    assert re.fullmatch(r"gwtk_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", TOKEN)


def test_new_tokens_are_well_formed_and_differ() -> None:
    tokens = {new_gateway_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(map(is_well_formed, tokens))


def test_format_stays_what_it_was() -> None:
    # Written out once: tokens in use must stay valid when this library is updated.
    assert is_well_formed("gwtk_" + "0" * 43 + "2sWLh6")


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(string.ascii_letters + string.digits + "_"))
def test_mistyped_token_is_malformed(position: int, char: str) -> None:
    typed = TOKEN[:position] + char + TOKEN[position + 1 :]
    assert is_well_formed(typed) == (typed == TOKEN)


@given(st.text())
def test_other_text_is_malformed(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed(TOKEN + text) or not text


def test_near_misses_are_malformed() -> None:
    for text in (TOKEN + "\n", " " + TOKEN, TOKEN[:-1], TOKEN.upper(), TOKEN.replace("gw", "xx")):
        assert not is_well_formed(text)
    assert not is_well_formed("gwtk_" + "\N{ARABIC-INDIC DIGIT ONE}" * 49)


def test_digest_is_the_sha256_of_the_token() -> None:
    assert token_digest(TOKEN) == hashlib.sha256(TOKEN.encode()).digest()
