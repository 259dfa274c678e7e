from __future__ import annotations

import pytest

from tameflare_core.vault.keyring import KeyEncryptionKey


@pytest.fixture
def key() -> KeyEncryptionKey:
    return KeyEncryptionKey(bytes(range(32)))
