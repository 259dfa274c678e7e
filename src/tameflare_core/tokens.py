"""Tokens of gateways and users: how they are made, recognised and checked.

A token is `gwtk_` or `tfpat_`, 32 random bytes in base 62, and a checksum. The prefix and the
checksum let a scanner of source code tell a real token from a look-alike without asking anyone, and
a gateway turn away a mistyped one without a look-up. Source of both ideas: GitHub, "Behind GitHub's
new authentication token formats" (2021).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

__all__ = ["is_well_formed", "new_gateway_token", "new_personal_token", "token_digest"]

_GATEWAY = "gwtk_"
_PERSONAL = "tfpat_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BYTES = 32
_RANDOM_LENGTH = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
_SHAPE = re.compile(
    f"((?:{_GATEWAY}|{_PERSONAL})[0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


def new_gateway_token() -> str:
    """A fresh token of a gateway; it is shown once, and only its digest is kept."""
    return _new(_GATEWAY)


def new_personal_token() -> str:
    """A fresh token of a user, for commands; it is shown once, and only its digest is kept."""
    return _new(_PERSONAL)


def is_well_formed(token: str, *, personal: bool = False) -> bool:
    """Whether `token` has the shape of a gateway's or a user's, and its checksum is right."""
    match = _SHAPE.fullmatch(token)
    kind = _PERSONAL if personal else _GATEWAY
    return match is not None and token.startswith(kind) and _checksum(match[1]) == match[2]


def token_digest(token: str) -> bytes:
    """What is stored of a token: its SHA-256.

    A token is random enough that no salt and no slow hash would make it harder to guess.
    """
    return hashlib.sha256(token.encode()).digest()


def _new(prefix: str) -> str:
    head = prefix + _base62(secrets.randbits(8 * _RANDOM_BYTES), _RANDOM_LENGTH)
    return head + _checksum(head)


def _checksum(head: str) -> str:
    return _base62(zlib.crc32(head.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
