"""Ids of stored things: a prefix that tells the kind, and 20 random characters."""

from __future__ import annotations

import base64
import secrets

__all__ = ["new_id"]

_RANDOM_BYTES = 13  # 21 digits of base 32, of which 20 are kept: 100 bits


def new_id(kind: str) -> str:
    """A fresh id like `gw_7h3k…`.

    Args:
        kind: the prefix before the underscore.
    """
    random = base64.b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode().lower()
    return f"{kind}_{random[:20]}"
