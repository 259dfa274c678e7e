"""What a client asked for with CONNECT."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tunnel"]


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The destination of one CONNECT.

    Attributes:
        host: canonical host.
        port: its port.
        tls: whether TLS is spoken in it.
    """

    host: str
    port: int
    tls: bool

    @property
    def address(self) -> tuple[str, int]:
        """As a socket address; IPv6 without brackets."""
        return self.host.strip("[]"), self.port
