"""A secret in memory: usable, never shown."""

from __future__ import annotations

import hmac
from typing import Never, final

__all__ = ["Secret"]


@final
class Secret:
    """A secret value whose `repr`, `str`, format and pickle do not hold it.

    Args:
        value: the secret itself.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; call it only where it is written into a request."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_octets(self), _octets(other))

    def __hash__(self) -> int:
        # The hash of the text would be a handle for guessing it.
        return hash(Secret)

    def __reduce__(self) -> Never:
        raise TypeError("a secret cannot be pickled or copied to another process")

    def __reduce_ex__(self, protocol: object) -> Never:
        self.__reduce__()

    def __getstate__(self) -> Never:
        self.__reduce__()


def _octets(secret: Secret) -> bytes:
    # A lone surrogate must not end in a UnicodeEncodeError, which carries the whole text.
    return secret.reveal().encode("utf-8", "surrogatepass")
