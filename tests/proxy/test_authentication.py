from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_proxy.authentication import presented_token, token_required


def basic(data: bytes) -> str:
    return "Basic " + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Bearer gwtk_a", "gwtk_a"),
        ("BEARER  gwtk_a ", "gwtk_a"),
        (basic(b"gwtk_a:"), "gwtk_a"),
        (basic(b"gwtk_a:b:c"), "gwtk_a"),
        (basic(b"gwtk_a"), "gwtk_a"),
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic", None),
        ("Basic %%%", None),
        ("Basic Zw", None),
        (basic(b"\xff:"), None),
        (basic(b":gwtk_a"), None),
        ("gwtk_a", None),
        ("Negotiate gwtk_a", None),
    ],
)
def test_token_is_found(value: str | None, token: str | None) -> None:
    assert presented_token(value) == token


@given(st.text())
def test_whatever_is_presented_is_read(value: str) -> None:
    assert presented_token(value) != ""


def test_missing_token_is_asked_for() -> None:
    refusal = token_required("1")
    assert refusal.status == 407
    assert ("proxy-authenticate", 'Basic realm="tameflare"') in refusal.fields()
