"""Gateway tokens: how they are made, recognised and checked.

A token is `gwtk_`, 32 random bytes in base 62, and a checksum: 54 characters. The prefix and the
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

__all__ = ["is_well_formed", "new_gateway_token", "token_digest"]

_PREFIX = "gwtk_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BYTES = 32
_RANDOM_LENGTH = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
_SHAPE = re.compile(
    f"({_PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


def new_gateway_token() -> str:
    """A fresh token; it is shown once, and only its digest is kept."""
    head = _PREFIX + _base62(secrets.randbits(8 * _RANDOM_BYTES), _RANDOM_LENGTH)
    return head + _checksum(head)


def is_well_formed(token: str) -> bool:
    """Whether `token` has the shape of a gateway token and its checksum is right."""
    match = _SHAPE.fullmatch(token)
    return match is not None and _checksum(match[1]) == match[2]


def token_digest(token: str) -> bytes:
    """What is stored of a token: its SHA-256.

    A token is random enough that no salt and no slow hash would make it harder to guess.
    """
    return hashlib.sha256(token.encode()).digest()


def _checksum(head: str) -> str:
    return _base62(zlib.crc32(head.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
