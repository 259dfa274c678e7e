"""One event of the audit log, and the hash that binds it to the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

__all__ = ["NO_EVENT", "AuditEvent", "redacted"]

NO_EVENT = "0" * 64
"""What the first event has in the place of a previous hash."""

_HIDDEN = "…"
_SECRET_KEYS = frozenset(
    {
        "api_key",
        "authorization",
        "bot_token",
        "client_secret",
        "cookie",
        "credential_value",
        "csrf",
        "password",
        "password_hash",
        "private_key",
        "secret",
        "signing_secret",
        "smtp_password",
        "token",
        "value",
        "webhook_secret",
    }
)
_FIELDS = frozenset(
    {
        "seq",
        "time",
        "actor",
        "actor_name",
        "verb",
        "object",
        "before",
        "after",
        "previous",
        "hash",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which object, and when.

    Attributes:
        seq: 1 for the first event, one more for each, without gaps.
        time: when, in UTC.
        actor: `user:usr_…`, `gateway:gw_…` or `system`.
        actor_name: an e-mail address or a name, as it was then.
        verb: `gateway.update`, `approval.approve`.
        object: `gateway:gw_…`.
        before, after: JSON values without secrets; None where there is nothing to tell.
        previous: the hash of the event before it; 64 zeros for the first.
        hash: SHA-256 of everything else, as hex digits.
    """

    seq: int
    time: datetime
    actor: str
    actor_name: str
    verb: str
    object: str
    before: Any
    after: Any
    previous: str
    hash: str

    @classmethod
    def next(
        cls,
        last: AuditEvent | None,
        *,
        time: datetime,
        actor: str,
        actor_name: str,
        verb: str,
        object: str,  # noqa: A002  # the name of the field
        before: Any = None,
        after: Any = None,
    ) -> Self:
        """The event that follows `last`.

        Args:
            last: the one before it; None for the first.
            time: when it happened, with a zone.
            actor: who did it.
            actor_name: their name then.
            verb: what was done.
            object: to what.
            before: how it was, without secrets.
            after: how it is now, without secrets.

        Raises:
            ValueError: the time has no zone, or a value is none of JSON's.
        """
        if time.tzinfo is None:
            raise ValueError("the time of an audit event has a zone")
        content = {
            "seq": 1 if last is None else last.seq + 1,
            "time": _moment(time),
            "actor": actor,
            "actor_name": actor_name,
            "verb": verb,
            "object": object,
            "before": before,
            "after": after,
            "previous": NO_EVENT if last is None else last.hash,
        }
        return cls._of(content, _digest(content))

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Read what `to_dict` made; whether the hash is right is for `verify` to say.

        Raises:
            ValueError: it is anything else.
        """
        if not isinstance(values, dict) or set(values) != _FIELDS:
            raise ValueError("an audit event has other fields")
        seq = values["seq"]
        texts = ("time", "actor", "actor_name", "verb", "object", "previous", "hash")
        if not isinstance(seq, int) or isinstance(seq, bool):
            raise ValueError("`seq` is a whole number")
        if not all(isinstance(values[name], str) for name in texts):
            raise ValueError("a field of the audit event that is a text is none")
        return cls._of(values, values["hash"])

    @classmethod
    def _of(cls, content: Mapping[str, Any], digest: str) -> Self:
        time = datetime.fromisoformat(content["time"])
        if time.tzinfo is None:
            raise ValueError("the time of an audit event has a zone")
        return cls(
            seq=content["seq"],
            time=time,
            actor=content["actor"],
            actor_name=content["actor_name"],
            verb=content["verb"],
            object=content["object"],
            before=content["before"],
            after=content["after"],
            previous=content["previous"],
            hash=digest,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {**self._content(), "hash": self.hash}

    @property
    def is_genuine(self) -> bool:
        """Whether the hash is that of the content."""
        return _digest(self._content()) == self.hash

    def _content(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "time": _moment(self.time),
            "actor": self.actor,
            "actor_name": self.actor_name,
            "verb": self.verb,
            "object": self.object,
            "before": self.before,
            "after": self.after,
            "previous": self.previous,
        }


def redacted(value: Any) -> Any:
    """A JSON value without what is a secret by the name of its key, at any depth."""
    match value:
        case dict():
            return {
                key: _HIDDEN if key.lower() in _SECRET_KEYS and each is not None else redacted(each)
                for key, each in value.items()
            }
        case list() | tuple():
            return [redacted(each) for each in value]
        case _:
            return value


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _digest(content: Mapping[str, Any]) -> str:
    # The one form that is hashed: JSON with sorted keys, no blanks, and nothing beyond ASCII.
    # Python writes the shortest digits that give a number back, so its numbers have one form too.
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(b"tameflare audit event 1\n" + text.encode("ascii")).hexdigest()
