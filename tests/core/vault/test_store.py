from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tameflare_core.errors import VaultError
from tameflare_core.vault.keyring import KEY_VARIABLE, KeyEncryptionKey
from tameflare_core.vault.secret import Secret
from tameflare_core.vault.store import VaultFile
from tests.at_once import run_at_once


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".tf" / "vault.json"


@pytest.fixture
def vault(path: Path, key: KeyEncryptionKey) -> VaultFile:
    return VaultFile(path, key)


def entry(path: Path, name: str) -> dict[str, object]:
    found = json.loads(path.read_bytes())["credentials"][name]
    assert isinstance(found, dict)
    return found


def test_absent_vault_is_empty(vault: VaultFile, path: Path) -> None:
    assert vault.versions() == {}
    assert not path.parent.exists()


def test_what_is_put_is_got(vault: VaultFile, path: Path, key: KeyEncryptionKey) -> None:
    vault.put("ghe", Secret("ghp_REAL"))
    vault.put("crm", Secret("other"))
    assert list(vault.versions()) == ["crm", "ghe"]
    assert VaultFile(path, key).get("ghe") == Secret("ghp_REAL")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text())
def test_any_text_survives(vault: VaultFile, text: str) -> None:
    vault.put("any", Secret(text))
    assert vault.get("any").reveal() == text


def test_file_holds_no_plaintext(vault: VaultFile, path: Path) -> None:
    vault.put("ghe", Secret("ghp_REAL"))
    content = path.read_bytes()
    assert b"ghp_REAL" not in content
    assert base64.b64encode(b"ghp_REAL").rstrip(b"=") not in content


def test_each_put_counts_the_version_up(vault: VaultFile, path: Path) -> None:
    vault.put("ghe", Secret("one"))
    assert entry(path, "ghe")["version"] == 1
    vault.put("ghe", Secret("two"))
    assert entry(path, "ghe")["version"] == 2
    assert vault.get("ghe").reveal() == "two"


def test_removed_credential_is_gone(vault: VaultFile) -> None:
    vault.put("ghe", Secret("x"))
    vault.remove("ghe")
    assert vault.versions() == {}
    with pytest.raises(VaultError, match="no credential `ghe`"):
        vault.remove("ghe")


def test_absent_credential_says_how_to_add_it(vault: VaultFile, path: Path) -> None:
    with pytest.raises(VaultError) as raised:
        vault.get("ghe")
    assert str(raised.value) == (
        f"no credential `ghe` in the vault {path}: add it with `tf credentials add ghe`"
    )


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "a:b", "é", "x\n", "x" * 129])
def test_odd_names_are_refused(name: str, vault: VaultFile, path: Path) -> None:
    with pytest.raises(VaultError, match="name has letters"):
        vault.put(name, Secret("x"))
    assert not path.exists()


def test_files_are_for_their_owner_alone(vault: VaultFile, path: Path) -> None:
    before = os.umask(0)
    try:
        vault.put("ghe", Secret("x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"vault.json": 0o600, "vault.json.lock": 0o600}


def test_swapped_entries_are_refused(vault: VaultFile, path: Path) -> None:
    vault.put("low", Secret("harmless"))
    vault.put("high", Secret("powerful"))
    document = json.loads(path.read_bytes())
    entries = document["credentials"]
    entries["low"], entries["high"] = entries["high"], entries["low"]
    path.write_text(json.dumps(document))
    for name in ("low", "high"):
        with pytest.raises(
            VaultError, match=f"credential `{name}`: .* `tf credentials add {name}`"
        ):
            vault.get(name)


def test_other_key_is_named(vault: VaultFile, path: Path, key: KeyEncryptionKey) -> None:
    vault.put("ghe", Secret("x"))
    other = KeyEncryptionKey(bytes(32))
    with pytest.raises(VaultError) as raised:
        VaultFile(path, other).get("ghe")
    message = str(raised.value)
    assert key.id in message
    assert other.id in message
    assert f"set `{KEY_VARIABLE}`" in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": 2, "credentials": {}}',
        b'{"format": 1, "credentials": []}',
    ],
)
def test_damaged_file_is_named_and_kept(content: bytes, vault: VaultFile, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    for act in (vault.versions, lambda: vault.get("ghe"), lambda: vault.put("ghe", Secret("x"))):
        with pytest.raises(VaultError) as raised:
            act()
        assert str(raised.value).startswith(f"{path}: this is no vault")
    assert path.read_bytes() == content


@pytest.mark.parametrize("damaged", ["x", None, {}, {"version": 1}])
def test_damaged_entry_spoils_no_other(damaged: object, vault: VaultFile, path: Path) -> None:
    vault.put("ghe", Secret("x"))
    vault.put("crm", Secret("replaced"))
    vault.put("crm", Secret("kept"))
    document = json.loads(path.read_bytes())
    document["credentials"]["ghe"] = damaged
    path.write_text(json.dumps(document))
    with pytest.raises(VaultError, match=r"credential `ghe`: .* `tf credentials add ghe`"):
        vault.get("ghe")
    assert vault.get("crm").reveal() == "kept"
    assert vault.versions() == {"crm": 2, "ghe": 0}
    vault.put("ghe", Secret("y"))
    assert vault.get("ghe").reveal() == "y"


def test_unreadable_and_unwritable_files_are_named(tmp_path: Path, key: KeyEncryptionKey) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "vault.json"):
        vault = VaultFile(place, key)
        with pytest.raises(VaultError, match=f"^{place}: cannot be read: .* directory$"):
            vault.get("x")
    with pytest.raises(VaultError, match="cannot be written: "):
        VaultFile(tmp_path / "file" / "vault.json", key).put("x", Secret("x"))


def test_failed_removal_is_named(vault: VaultFile, path: Path) -> None:
    vault.put("x", Secret("x"))
    lock = Path(f"{path}.lock")
    lock.unlink()
    lock.mkdir()
    with pytest.raises(VaultError, match=f"^{path}: cannot be written: Is a directory$"):
        vault.remove("x")


def test_writers_at_once_lose_nothing(vault: VaultFile, path: Path) -> None:
    vault.put("shared", Secret("0"))
    writers, rounds = 4, 10
    run_at_once(
        "from pathlib import Path; from tameflare_core.vault.keyring import KeyEncryptionKey;"
        "from tameflare_core.vault.secret import Secret;"
        "from tameflare_core.vault.store import VaultFile;"
        "vault = VaultFile(Path(sys.argv[1]), KeyEncryptionKey(bytes(range(32))))",
        "n, rounds = sys.argv[2], int(sys.argv[3]);"
        "[(vault.put(f'own-{n}-{i}', Secret(n)), vault.put('shared', Secret(n)))"
        " for i in range(rounds)]",
        [(path, number, rounds) for number in range(writers)],
    )
    assert len(vault.versions()) == 1 + writers * rounds
    assert entry(path, "shared")["version"] == 1 + writers * rounds
    assert vault.get("own-2-9").reveal() == "2"
