"""Credential references: `scheme:name`, resolved only when a request is about to leave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tameflare_core.vault.secret import Secret

__all__ = ["CredentialReference", "CredentialSource"]


@dataclass(frozen=True, slots=True)
class CredentialReference:
    """Where a credential is kept; it holds no secret itself.

    Attributes:
        scheme: which source, like `env`, `file` or `vault`.
        name: what the source calls it.
    """

    scheme: str
    name: str

    @classmethod
    def parse(cls, text: str) -> CredentialReference:
        """Read `scheme:name`.

        Raises:
            ValueError: it has no scheme or no name; `text` is not repeated in the message, because
                it may be the secret itself, pasted in the wrong place.
        """
        scheme, separator, name = text.partition(":")
        if not (separator and name and scheme.isascii() and scheme.isalnum() and scheme.islower()):
            raise ValueError(
                "not a credential reference like `env:GITHUB_TOKEN`; a secret itself is never"
                " written into the configuration"
            )
        return cls(scheme, name)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"


class CredentialSource(ABC):
    """One way of looking up credentials.

    Class attributes:
        scheme: the part of a reference before its colon.
    """

    scheme: ClassVar[str]

    @abstractmethod
    def resolve(self, name: str, folder: Path) -> Secret:
        """Look up a credential.

        Called for each request, from any thread; a source that is slow keeps what it fetched.

        Args:
            name: the part of the reference after its colon.
            folder: where the gateway's configuration file is; relative names start there.

        Raises:
            CredentialError: it cannot be had; the message says why and what to do, without any part
                of the secret.
        """
