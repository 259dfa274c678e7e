from __future__ import annotations

import pytest

from tameflare_core.vault.references import CredentialReference


@pytest.mark.parametrize("text", ["env:GITHUB_TOKEN", "vault:ghe", "file:/run/a:b", "aws1:x"])
def test_reference_survives_its_text_form(text: str) -> None:
    assert str(CredentialReference.parse(text)) == text


def test_name_keeps_its_own_colons() -> None:
    assert CredentialReference.parse("file:C:/x") == CredentialReference("file", "C:/x")


@pytest.mark.parametrize(
    "text", ["", ":", "env:", ":name", "ghp_REAL", "ENV:x", "e-v:x", "é:x", "ghp_REAL:x"]
)
def test_anything_else_is_refused_unrepeated(text: str) -> None:
    with pytest.raises(ValueError, match="not a credential reference") as raised:
        CredentialReference.parse(text)
    assert "REAL" not in str(raised.value)
