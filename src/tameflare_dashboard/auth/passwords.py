"""Passwords: Argon2id, a few at a time."""

from __future__ import annotations

import anyio
from anyio import to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

__all__ = ["MIN_LENGTH", "Passwords"]

MIN_LENGTH = 12
"""Characters of a password at the least."""

_AT_ONCE = 2  # each takes 64 MiB for as long as it runs


class Passwords:
    """Hashes and checks passwords, with the parameters that RFC 9106 recommends second.

    (Its first recommendation takes 2 GiB of memory for each login.)
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._running = anyio.CapacityLimiter(_AT_ONCE)
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """What is stored of a password."""
        return await to_thread.run_sync(self._hasher.hash, password, limiter=self._running)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether a password is right; takes as long when there is no such user.

        Args:
            stored: what `hash` made; None when there is no such user.
            password: what was typed.
        """
        hashed = stored or self._nobody
        right = await to_thread.run_sync(self._verify, hashed, password, limiter=self._running)
        return right and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
