"""What the operator decides, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_core.errors import ConfigError
from tameflare_dashboard.settings import Settings


def test_embedded_database_unless_one_is_named(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, folder=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path / 'tameflare.db'}"
    assert not settings.secure
    named = Settings.from_environment(
        {
            "TAMEFLARE_DATABASE_URL": "postgresql://u:p@h/d",
            "TAMEFLARE_PUBLIC_URL": "https://tameflare.example.com/",
        },
        folder=tmp_path,
    )
    assert (named.dialect, named.secure) == ("postgresql", True)
    assert "tameflare.example.com" in named.hosts


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "", "x"])
def test_other_databases_are_refused_without_repeating_the_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings(database_url=url, folder=tmp_path)
    assert "secret" not in str(refused.value)


def test_address_that_no_browser_opens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no URL"):
        Settings(database_url="sqlite:///x", folder=tmp_path, public_url="ftp://x")
