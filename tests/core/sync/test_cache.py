"""Configurations on disk: for the token alone, and absent when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_core.sync.cache import ConfigCache
from tameflare_core.sync.client import ServedConfig
from tameflare_core.tokens import new_gateway_token
from tameflare_core.vault.secret import Secret

CONFIG = ServedConfig(
    gateway_id="gw_1",
    name="agent",
    revision="r1",
    document="version: 1\ngateway: agent\n",
    credentials={"gh": (2, "sealed")},
    kill_switches=(),
)


def test_config_comes_back_for_its_token_alone(tmp_path: Path) -> None:
    cache, token = ConfigCache(tmp_path / "configs"), Secret(new_gateway_token())
    assert cache.load(token) is None
    cache.store(token, CONFIG)
    assert cache.load(token) == CONFIG
    assert cache.load(Secret(new_gateway_token())) is None
    (file,) = (tmp_path / "configs").iterdir()
    (tmp_path / "configs" / "other").write_bytes(file.read_bytes())
    other = Secret(new_gateway_token())
    file.rename(cache._path(other))
    assert cache.load(other) is None


def test_damaged_file_counts_as_absent(tmp_path: Path) -> None:
    cache, token = ConfigCache(tmp_path), Secret(new_gateway_token())
    cache.store(token, CONFIG)
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert cache.load(token) is None


def test_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    cache, token = ConfigCache(tmp_path), Secret(new_gateway_token())
    cache.store(token, CONFIG)
    (file,) = tmp_path.iterdir()
    file.chmod(0o644)
    with pytest.raises(PermissionError):
        cache.load(token)


def test_void_token_leaves_nothing(tmp_path: Path) -> None:
    cache, token = ConfigCache(tmp_path), Secret(new_gateway_token())
    cache.store(token, CONFIG)
    cache.forget(token)
    cache.forget(token)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"gateway": None},
        {"credentials": []},
        {"kill_switches": [1]},
        {"document": 0},
    ],
)
def test_other_documents_are_no_configurations(change: dict[str, object]) -> None:
    values = {**CONFIG.to_dict(), **change}
    if change == {"document": 0}:
        assert ServedConfig.from_dict(values).document == "0"
        return
    with pytest.raises(ValueError, match=r"format|configuration"):
        ServedConfig.from_dict(values)
