"""Networks, and whether a text is an address within them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from tameflare_core.policy.problems import Report

__all__ = ["Networks"]

type _Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Networks:
    """One network or several.

    Attributes:
        networks: IPv4 or IPv6.
    """

    networks: tuple[_Network, ...]

    @classmethod
    def parse(cls, document: object, report: Report) -> Networks | None:
        """Read one network like `10.0.0.0/8`, or a list of them.

        Returns:
            The networks; None when something was wrong, which the report then says.
        """
        if not isinstance(document, list):
            network = _network(document, report)
            return None if network is None else cls((network,))
        if not document:
            report.add("write a list of one network or more")
            return None
        found = [_network(each, report.below(i)) for i, each in enumerate(document)]
        networks = tuple(network for network in found if network is not None)
        return cls(networks) if len(networks) == len(found) else None

    def contain(self, text: str) -> bool:
        """Whether `text` is an address in one of them; IPv6 may stand in brackets."""
        if text.startswith("[") and text.endswith("]"):
            text = text[1:-1]
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if any(address in network for network in self.networks):
            return True
        # `::ffff:10.0.0.1` is dialled as 10.0.0.1.
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped is not None and any(mapped in network for network in self.networks)


def _network(value: object, report: Report) -> _Network | None:
    if isinstance(value, str):
        try:
            return ipaddress.ip_network(value)
        except ValueError:
            pass
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            pass
        else:
            report.add(f"`{value}` is an address within a network: write `{network}`")
            return None
    report.add(f"`{value}` is not a network like `10.0.0.0/8`")
    return None
