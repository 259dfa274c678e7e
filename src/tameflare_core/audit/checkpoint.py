"""Checkpoints: signatures over the log up to one event.

Whoever can write to the database can make a chain anew from any event on; without the key they
cannot sign it, so the next checkpoint shows it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never, Self, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tameflare_core.errors import VaultError
from tameflare_core.private_files import create_once

__all__ = ["KEY_FILE", "Checkpoint", "SigningKey", "VerifyingKey"]

KEY_FILE = "audit.key"
"""The signing key's file, in the folder of the control plane."""

_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement that the log up to `seq` ends in `hash`.

    Attributes:
        seq: of the last event that it covers.
        hash: of that event.
        time: when it was signed.
        key_id: 16 hex digits that tell the key.
        signature: Ed25519, as base64.
    """

    seq: int
    hash: str
    time: datetime
    key_id: str
    signature: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "seq": self.seq,
            "hash": self.hash,
            "time": self.time.astimezone(UTC).isoformat(timespec="microseconds"),
            "key_id": self.key_id,
            "signature": self.signature,
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Read what `to_dict` made.

        Raises:
            ValueError: it is anything else.
        """
        match values:
            case {
                "seq": int(seq),
                "hash": str(hash_),
                "time": str(time),
                "key_id": str(key_id),
                "signature": str(signature),
                **rest,
            } if not rest and not isinstance(seq, bool):
                moment = datetime.fromisoformat(time)
                if moment.tzinfo is not None:
                    return cls(seq=seq, hash=hash_, time=moment, key_id=key_id, signature=signature)
        raise ValueError("a checkpoint has `seq`, `hash`, `time`, `key_id` and `signature`")

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        time = self.time.astimezone(UTC).isoformat(timespec="microseconds")
        parts = ("tameflare audit checkpoint 1", str(self.seq), self.hash, time, self.key_id)
        # Each part goes in with its length, so that none can run over into the next.
        return b"".join(len(part.encode()).to_bytes(8) + part.encode() for part in parts)


@final
class VerifyingKey:
    """The public half: tells whether a checkpoint is genuine.

    Attributes:
        id: 16 hex digits that tell this key from another.
    """

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.id = hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `text` gives.

        Raises:
            ValueError: it is no public key.
        """
        raw = base64.b64decode(text.strip(), validate=True)
        return cls(Ed25519PublicKey.from_public_bytes(raw))

    @property
    def text(self) -> str:
        """The key as base64."""
        return base64.b64encode(self._key.public_bytes_raw()).decode()

    def signed(self, checkpoint: Checkpoint) -> bool:
        """Whether `checkpoint` was signed with the private half."""
        try:
            signature = base64.b64decode(checkpoint.signature, validate=True)
            self._key.verify(signature, checkpoint.signed_bytes())
        except (InvalidSignature, ValueError):
            return False
        return checkpoint.key_id == self.id


@final
class SigningKey:
    """The private half, which no one gets to see.

    Args:
        key: 32 random bytes.

    Attributes:
        public: the public half.
    """

    def __init__(self, key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self.public = VerifyingKey(self._key.public_key())

    @classmethod
    def load_or_create(cls, folder: Path) -> Self:
        """The key in a folder, made on first use.

        Raises:
            VaultError: the file holds no key, others can read it, or it cannot be made.
        """
        path = folder / KEY_FILE
        try:
            content = create_once(path, _new_key)
            key = base64.b64decode(content.strip(), validate=True)
        except OSError as error:
            raise VaultError(f"{path}: no audit key: {error.strerror}") from None
        except ValueError:
            key = b""
        if len(key) != _LENGTH:
            raise VaultError(f"{path}: this is no audit key: put the right file back")
        return cls(key)

    def sign(self, *, seq: int, hash: str, time: datetime) -> Checkpoint:  # noqa: A002
        """Sign the log up to an event.

        Args:
            seq: of the event.
            hash: of the event.
            time: now, with a zone.
        """
        unsigned = Checkpoint(seq=seq, hash=hash, time=time, key_id=self.public.id, signature="")
        signature = self._key.sign(unsigned.signed_bytes())
        return Checkpoint(
            seq=seq,
            hash=hash,
            time=time,
            key_id=self.public.id,
            signature=base64.b64encode(signature).decode(),
        )

    def __repr__(self) -> str:
        return f"SigningKey(id={self.public.id!r})"

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("an audit key cannot be pickled or copied to another process")


def _new_key() -> bytes:
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n"
