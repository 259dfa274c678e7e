"""The calls of a gateway to the control plane, as plain values."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx

from tameflare_core.errors import ControlPlaneRefused, ControlPlaneUnreachable, TokenUnknown
from tameflare_core.private_files import create_once
from tameflare_core.vault.secret import Secret

__all__ = ["ControlPlane", "Event", "ServedConfig", "new_instance_id", "proxy_id"]

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_SILENCE_SECONDS = 35.0
_CONNECTIONS = 200
_FORMAT = 1
_PROXY_FILE = "proxy-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedConfig:
    """What a gateway judges by, as the control plane gave it.

    Attributes:
        gateway_id, name: which gateway.
        revision: changes with everything below.
        document: the text of a `tameflare.yaml`.
        credentials: sealed, by name: version and text.
        kill_switches: documents of those that are active in the organization.
    """

    gateway_id: str
    name: str
    revision: str
    document: str
    credentials: dict[str, tuple[int, str]]
    kill_switches: tuple[dict[str, Any], ...]

    @classmethod
    def from_dict(cls, values: Any) -> ServedConfig:
        """Read the answer of the control plane.

        Raises:
            ValueError: it is of another form.
        """
        try:
            if values["format"] != _FORMAT:
                raise ValueError(f"it is of format {values['format']!r}: update the gateway")
            return cls(
                gateway_id=str(values["gateway"]["id"]),
                name=str(values["gateway"]["name"]),
                revision=str(values["revision"]),
                document=str(values["document"]),
                credentials={
                    str(name): (int(each["version"]), str(each["sealed"]))
                    for name, each in values["credentials"].items()
                },
                kill_switches=tuple(dict(each) for each in values["kill_switches"]),
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("it is no configuration of a gateway") from None

    def to_dict(self) -> dict[str, Any]:
        """As `from_dict` reads it."""
        return {
            "format": _FORMAT,
            "gateway": {"id": self.gateway_id, "name": self.name},
            "revision": self.revision,
            "document": self.document,
            "credentials": {
                name: {"version": version, "sealed": sealed}
                for name, (version, sealed) in self.credentials.items()
            },
            "kill_switches": list(self.kill_switches),
        }


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the stream.

    Attributes:
        name: `stream`, `config`, `kill_switch`, `approval` or `heartbeat`.
        data: what it says.
    """

    name: str
    data: dict[str, Any]


def new_instance_id() -> str:
    """A fresh id for a proxy process."""
    return "pxi_" + _random_id()


def proxy_id(folder: Path) -> str:
    """The id of the folder in which proxy processes keep their state, made on first use.

    Raises:
        OSError: it cannot be read or made.
    """
    return create_once(folder / _PROXY_FILE, lambda: f"pxy_{_random_id()}".encode()).decode()


def _random_id() -> str:
    return base64.b32encode(secrets.token_bytes(13)).decode().lower()[:20]


class ControlPlane:
    """The control plane, as a gateway calls it.

    Args:
        url: where it is.
        instance: the id of this process.
        proxy: the id of the folder that it keeps its state in; empty for none.
        verify: whom to trust over TLS; the system's authorities unless given.
        silence: seconds without an event after which a stream is dead.
    """

    def __init__(
        self,
        url: str,
        *,
        instance: str,
        proxy: str = "",
        verify: ssl.SSLContext | bool = True,
        silence: float = _SILENCE_SECONDS,
    ) -> None:
        self.url = url.rstrip("/")
        self._silence = silence
        # What the environment says about proxies is for the agents: this is not their traffic.
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers={"X-TameFlare-Instance": instance, "X-TameFlare-Proxy": proxy},
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=20),
            trust_env=False,
            verify=verify,
        )

    async def config(self, token: Secret, revision: str | None = None) -> ServedConfig | None:
        """The configuration of a gateway; None when it is still the one with `revision`.

        Raises:
            TokenUnknown: there is no such gateway, or no longer.
            ControlPlaneUnreachable: there is no answer, or none that can be read.
        """
        headers = {} if revision is None else {"If-None-Match": f'"{revision}"'}
        answer = await self._call("GET", "/api/gateway/config", token, headers=headers)
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return None
        try:
            return ServedConfig.from_dict(self._object(answer))
        except ValueError as error:
            raise ControlPlaneUnreachable(
                f"{self.url}: the configuration cannot be read: {error}"
            ) from None

    async def open_approval(self, token: Secret, document: dict[str, Any]) -> None:
        """Ask people about a request."""
        await self._call("POST", "/api/gateway/approvals", token, json=document)

    async def approval(self, token: Secret, approval_id: str, wait: float = 0) -> dict[str, Any]:
        """How an approval stands, once it has ended or `wait` seconds are over."""
        answer = await self._call(
            "GET",
            f"/api/gateway/approvals/{approval_id}",
            token,
            params={"wait": wait},
            timeout=httpx.Timeout(wait + 10.0, connect=5.0),
        )
        return self._object(answer)

    async def withdraw_approval(self, token: Secret, approval_id: str) -> None:
        """Say that a request is held no longer."""
        await self._call("DELETE", f"/api/gateway/approvals/{approval_id}", token)

    async def send_traffic(self, token: Secret, records: Sequence[str]) -> None:
        """Hand in traffic records, each as a line of JSON."""
        content = '{"records":[' + ",".join(records) + "]}"
        await self._call(
            "POST",
            "/api/gateway/traffic",
            token,
            content=content.encode(),
            headers={"Content-Type": "application/json"},
            timeout=httpx.Timeout(30.0, connect=5.0),
        )

    async def add_tokens(
        self, token: Secret, stream: str, tokens: Sequence[Secret]
    ) -> frozenset[str]:
        """Add gateways to a stream; return the digests, as hex, of tokens that are unknown."""
        answer = await self._call(
            "POST",
            f"/api/gateway/events/{stream}",
            token,
            json={"tokens": [each.reveal() for each in tokens]},
        )
        unknown = self._object(answer).get("unknown")
        return frozenset(map(str, unknown if isinstance(unknown, list) else ()))

    @asynccontextmanager
    async def events(self, token: Secret) -> AsyncIterator[AsyncIterator[Event]]:
        """Open the event stream.

        Raises:
            TokenUnknown: there is no such gateway, or no longer.
            ControlPlaneUnreachable: it cannot be opened, ends, or nothing is heard on it; also
                while events are read.
        """
        timeout = httpx.Timeout(10.0, connect=5.0, read=self._silence)
        try:
            async with self._client.stream(
                "GET", "/api/gateway/events", headers=_bearer(token), timeout=timeout
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    await answer.aread()
                    self._refuse(answer)
                yield _events(answer)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise self._unreachable(error) from None

    async def close(self) -> None:
        """Let go of every connection."""
        await self._client.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        token: Secret,
        *,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        try:
            answer = await self._client.request(
                method, path, headers={**_bearer(token), **(headers or {})}, **options
            )
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError) as error:
            raise self._unreachable(error) from None
        if answer.status_code >= 400:
            self._refuse(answer)
        return answer

    def _object(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            values = answer.json()
        except ValueError:
            values = None
        if not isinstance(values, dict):
            # Something else answers in its place, like the page of a network's login.
            raise ControlPlaneUnreachable(f"{self.url}: its answer cannot be read")
        return values

    def _refuse(self, answer: httpx.Response) -> NoReturn:
        status = answer.status_code
        try:
            detail = str(answer.json()["detail"])[:300]
        except (ValueError, KeyError, TypeError):
            detail = f"it answers with status {status}"
        if status == httpx.codes.UNAUTHORIZED:
            raise TokenUnknown(f"{self.url}: {detail}", status)
        if status >= 500 or status in {408, 421, 429}:
            raise ControlPlaneUnreachable(f"{self.url}: {detail}")
        raise ControlPlaneRefused(f"{self.url}: {detail}", status)

    def _unreachable(self, error: Exception) -> ControlPlaneUnreachable:
        why = str(error) or type(error).__name__
        return ControlPlaneUnreachable(f"the control plane {self.url} gives no answer: {why[:200]}")


def _bearer(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}


async def _events(answer: httpx.Response) -> AsyncIterator[Event]:
    name, data = "", []
    async for line in answer.aiter_lines():
        field, _, value = line.partition(":")
        match field:
            case "event":
                name = value.strip()
            case "data":
                data.append(value.removeprefix(" "))
            case "" if not line and data:
                try:
                    decoded = json.loads("\n".join(data))
                except ValueError:
                    decoded = None
                if isinstance(decoded, dict):
                    yield Event(name, decoded)
                name, data = "", []
