from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from tameflare_core.errors import ConfigError
from tameflare_core.system_roots import system_roots


def test_own_roots_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    assert system_roots() == tmp_path / "own.pem"


def test_own_roots_that_are_absent_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE: no file"):
        system_roots()


@pytest.mark.parametrize("unset", [True, False])
def test_usual_places_come_next(
    unset: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if unset:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    else:
        monkeypatch.setenv("SSL_CERT_FILE", "")
    (tmp_path / "second.pem").touch()
    (tmp_path / "third.pem").touch()
    places = [tmp_path / name for name in ("first.pem", "second.pem", "third.pem")]
    assert system_roots(places) == tmp_path / "second.pem"
    assert system_roots(places[:1]) == Path(certifi.where())
    assert system_roots().is_file()
