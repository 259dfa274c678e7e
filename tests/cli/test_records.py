"""Which records a command reads; the commands' own tests say what it makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tameflare_cli.records import record_lines


def lines(records: str | None) -> list[bytes]:
    with record_lines(records) as found:
        return list(found)


def test_named_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "records").write_bytes(b"a\nb\n")
    assert lines(str(tmp_path / "records")) == [b"a\n", b"b\n"]


def test_users_log_is_read_with_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "tameflare"
    folder.mkdir()
    with pytest.raises(CommandFailed, match="no traffic yet"):
        lines(None)
    (folder / "traffic.jsonl").write_bytes(b"new\n")
    (folder / "traffic.jsonl.1").write_bytes(b"old\n")
    assert lines(None) == [b"old\n", b"new\n"]


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as refused:
        lines(str(tmp_path / "none"))
    assert refused.value.code is ExitCode.USAGE
    assert "cannot be read: No such file" in refused.value.message
