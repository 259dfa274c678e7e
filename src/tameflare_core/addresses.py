"""The address guard: which of the addresses that a name resolves to may be dialled.

Whoever controls a name controls where it points: at the gateway's own machine, at its network, or
at the cloud's metadata service, which hands out credentials. So every address is checked, and it is
the checked address that is dialled.

Sources: the IANA special-purpose address registries (RFC 6890), RFC 6052 (addresses within NAT64
prefixes), RFC 4380 (Teredo), RFC 3056 (6to4), and the cloud vendors' pages on their metadata
services.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from tameflare_core.errors import AddressRefused

__all__ = ["permitted"]

type _Address = IPv4Address | IPv6Address
type _Network = IPv4Network | IPv6Network

# They answer anyone who reaches them, so no setting opens them.
_METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google Cloud, DigitalOcean, Oracle, OpenStack
            "169.254.169.253",  # AWS: resolver of the private network
            "169.254.170.2",  # AWS: credentials of ECS tasks
            "169.254.170.23",  # AWS: credentials of EKS pods
            "169.254.0.23",  # Tencent Cloud
            "169.254.42.42",  # Scaleway
            "168.63.129.16",  # Azure: host agent
            "100.100.100.200",  # Alibaba Cloud
            "192.0.0.192",  # Oracle Cloud
            "fd00:ec2::254",  # AWS
            "fd00:ec2::253",  # AWS: resolver
            "fd00:ec2::23",  # AWS: credentials of EKS pods
            "fd20:ce::254",  # Google Cloud
            "fd00:42::42",  # Scaleway
            "fd00:a9fe:a9fe::1",  # Linode
        ),
    )
)

# The first network that holds an address says what it is; a narrow one stands before a wider one.
_SPECIAL: tuple[tuple[_Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("2001::/32", "Teredo"),
        ("2001:2::/48", "benchmarking"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE = IPv6Network("::/96")


def permitted(addresses: Sequence[str], *, host: str, allow_private: bool) -> list[str]:
    """The addresses of `host` that may be dialled: all of them, or none.

    A mixed answer is refused as a whole: a name that points to the inside once will do so again.

    Args:
        addresses: everything that the name resolves to, IPv4 or IPv6 without brackets.
        host: the name, for the message.
        allow_private: whether addresses that are not public may be dialled; those of metadata
            services never may.

    Raises:
        AddressRefused: an address may not be dialled, or there is none.
    """
    if not addresses:
        raise AddressRefused(f"`{host}` has no address")
    checked: dict[str, None] = {}
    for text in addresses:
        address = _parsed(text, host)
        if address in _METADATA or not _METADATA.isdisjoint(_embedded(address)):
            raise AddressRefused(
                f"`{host}` resolves to {address}, a cloud metadata service, which is never dialled"
            )
        what = None if allow_private else _special(address)
        if what is not None:
            raise AddressRefused(
                f"`{host}` resolves to {address}, which is not public ({what}): set"
                " `allow_private_network: true` on its connector if that is where it belongs"
            )
        checked[str(address)] = None
    return list(checked)


def _parsed(text: str, host: str) -> _Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise AddressRefused(f"`{host}` resolves to `{text}`, which is not an address") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        # The zone chooses an interface, and the checks below know nothing of interfaces.
        raise AddressRefused(f"`{host}` resolves to {address}, an address with a zone")
    return address


def _special(address: _Address) -> str | None:
    """What `address` is when it is not a public one."""
    if isinstance(address, IPv6Address):
        stands_for = address.ipv4_mapped
        if address in _NAT64:
            # On networks with IPv6 alone every public IPv4 service is reached through this prefix.
            stands_for = _low_bits(address)
        if stands_for is not None:
            return _special(stands_for)
    for network, what in _SPECIAL:
        if address in network:
            return what
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved"
    return None


def _embedded(address: _Address) -> Iterator[IPv4Address]:
    """Every IPv4 address that a router or a kernel may take `address` for."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in (_NAT64, _LOCAL_NAT64, _TRANSLATED, _COMPATIBLE)):
        yield _low_bits(address)
    if address in _LOCAL_NAT64:
        # RFC 6052 section 2.2: bits 64 to 71 stay zero, and the address flows around them.
        around = int(address) >> 64 << 56 | int(address) & (1 << 56) - 1
        for prefix_length in (48, 56, 64):
            yield IPv4Address(around >> (88 - prefix_length) & 0xFFFF_FFFF)


def _low_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
