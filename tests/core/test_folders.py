from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tameflare_core.folders import data_folder, state_folder


@pytest.mark.parametrize(
    ("variable", "folder"), [("XDG_DATA_HOME", data_folder), ("XDG_STATE_HOME", state_folder)]
)
def test_folder_follows_xdg_and_is_private(
    variable: str, folder: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(folder)
    monkeypatch.setenv(variable, str(tmp_path / "xdg"))
    before = os.umask(0)
    try:
        made = folder()
    finally:
        os.umask(before)
    assert made == tmp_path / "xdg" / "tameflare"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert folder() == made


def test_folders_are_below_home_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() != state_folder()
    assert data_folder().is_relative_to(tmp_path)
    assert state_folder().is_relative_to(tmp_path)


def test_folder_that_cannot_be_made_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError):
        data_folder()
