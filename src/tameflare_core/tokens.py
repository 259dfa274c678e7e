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
from collections.abc import Mapping

__all__ = ["TokenCheck", "is_well_formed", "new_gateway_token", "token_digest"]

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


class TokenCheck[Holder]:
    """Finds out whose a token is, in a time that says nothing about the tokens it knows.

    Args:
        holders: what each token stands for, by the token's digest.
    """

    def __init__(self, holders: Mapping[bytes, Holder]) -> None:
        # A look-up compares byte by byte, but under a key that only this object has: how far a
        # comparison came tells nothing about the digests ("double HMAC verification").
        self._key = secrets.token_bytes(_RANDOM_BYTES)
        self._holders = {self._blinded(digest): holder for digest, holder in holders.items()}

    def holder(self, token: str) -> Holder | None:
        """What `token` stands for; None when it is malformed or unknown."""
        if not is_well_formed(token):
            return None
        return self._holders.get(self._blinded(token_digest(token)))

    def _blinded(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._key, digest_size=32).digest()


def _checksum(head: str) -> str:
    return _base62(zlib.crc32(head.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
