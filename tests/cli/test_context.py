from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_cli.context import find_config, load_gateway
from tameflare_cli.exit_codes import CommandFailed, ExitCode
from tests.cli.harness import CONFIG


def test_named_configuration_is_taken_as_it_is() -> None:
    assert find_config(Path("other.yaml")) == Path("other.yaml")


def test_configuration_in_this_folder_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tameflare.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    assert load_gateway(None).name == "prod-agent"


def test_no_configuration_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandFailed, match=r"there is no tameflare\.yaml") as failed:
        find_config(None)
    assert failed.value.code is ExitCode.USAGE
    assert "tf init" in failed.value.advice
