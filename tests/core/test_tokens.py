from __future__ import annotations

import hashlib
import re
import string

from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.tokens import TokenCheck, is_well_formed, new_gateway_token, token_digest

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


def test_check_finds_the_holder() -> None:
    tokens = [new_gateway_token() for _ in range(20)]
    check = TokenCheck({token_digest(token): number for number, token in enumerate(tokens)})
    assert [check.holder(token) for token in tokens] == list(range(20))


def test_check_knows_no_other_token() -> None:
    check = TokenCheck({token_digest(TOKEN): "agent"})
    assert check.holder(new_gateway_token()) is None
    assert check.holder("") is None
    assert check.holder(TOKEN[:-1]) is None
    assert TokenCheck[str]({}).holder(TOKEN) is None


def test_malformed_token_is_unknown_even_when_its_digest_is_stored() -> None:
    assert TokenCheck({token_digest("gwtk_x"): "agent"}).holder("gwtk_x") is None
