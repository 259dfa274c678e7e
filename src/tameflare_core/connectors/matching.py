"""Which connector owns a destination: scheme, host and port, one owner at the most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tameflare_core.canonical import canonical_authority
from tameflare_core.errors import RequestRejected
from tameflare_core.request import OutboundRequest

__all__ = ["BaseUrl", "Origin", "OriginIndex", "below_prefix"]


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme, a canonical host and a port; `*.` before the host covers every subdomain of it.

    `*.example.com` covers `a.example.com` and `a.b.example.com`, and not `example.com` itself.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, scheme: str = "https") -> Origin:
        """Read `host`, `host:port` or `*.host` of a configuration.

        Raises:
            ValueError: it is none of these.
        """
        wildcard = text.startswith("*.")
        try:
            host, port = canonical_authority(text.removeprefix("*."), scheme=scheme)
        except RequestRejected as error:
            raise ValueError(str(error)) from None
        if wildcard and ("." not in host or host.startswith("[") or host[-1].isdigit()):
            raise ValueError(f"`{text}` covers too much: name a domain, like `*.example.com`")
        return cls(scheme, f"*.{host}" if wildcard else host, port)

    def covers(self, other: Origin) -> bool:
        """Whether everything that `other` stands for belongs to this one."""
        if (self.scheme, self.port) != (other.scheme, other.port):
            return False
        if not self.host.startswith("*."):
            return self.host == other.host
        return other.host.removeprefix("*").endswith(self.host[1:])

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where a service lives: an origin and the path below which its API starts.

    Attributes:
        origin: scheme, host and port; never a wildcard.
        prefix: canonical path without a slash at its end; empty for the root.
    """

    origin: Origin
    prefix: str

    @classmethod
    def parse(cls, url: str) -> BaseUrl:
        """Read an absolute URL.

        Raises:
            ValueError: it is none, has a query, or can be read in two ways.
        """
        try:
            read = OutboundRequest.from_url("GET", url.rstrip("/"))
        except RequestRejected as error:
            raise ValueError(str(error)) from None
        if read.query is not None or read.ambiguities:
            raise ValueError("a base URL is a scheme, a host and a plain path")
        return cls(Origin(read.scheme, read.host, read.port), read.path.rstrip("/"))

    def relative(self, path: str) -> str | None:
        """What `path` is below the prefix, with its slash; None when it is elsewhere."""
        return below_prefix(path, self.prefix)


def below_prefix(path: str, prefix: str) -> str | None:
    """What `path` is below `prefix`, with its slash; None when it is elsewhere.

    The case of letters is ignored: whether a server minds is not known, and what it then takes for
    the same operation must not lose its name.
    """
    start, rest = path[: len(prefix)], path[len(prefix) :]
    if start.lower() != prefix.lower() or not (rest == "" or rest.startswith("/")):
        return None
    return rest or "/"


class _HasOrigins(Protocol):
    @property
    def origins(self) -> tuple[Origin, ...]: ...


class OriginIndex[Owner: _HasOrigins]:
    """Finds the owner of a destination by dictionary look-ups, one per label of the host.

    Raises:
        ValueError: two owners share a destination.
    """

    def __init__(self, owners: Iterable[Owner]) -> None:
        self._owners: dict[tuple[str, str, int], Owner] = {}
        taken: list[tuple[Origin, Owner]] = []
        for owner in owners:
            for origin in owner.origins:
                for other, whose in taken:
                    if whose is not owner and (origin.covers(other) or other.covers(origin)):
                        raise ValueError(f"`{origin}` is owned by another connector as well")
                taken.append((origin, owner))
                self._owners[origin.scheme, origin.host, origin.port] = owner
        self._has_wildcards = any(origin.host.startswith("*.") for origin, _ in taken)

    def find(self, scheme: str, host: str, port: int) -> Owner | None:
        """The owner of a canonical destination; None when nobody owns it."""
        owner = self._owners.get((scheme, host, port))
        if owner is not None or not self._has_wildcards:
            return owner
        rest = host
        while "." in rest:
            rest = rest.split(".", 1)[1]
            owner = self._owners.get((scheme, f"*.{rest}", port))
            if owner is not None:
                return owner
        return None
