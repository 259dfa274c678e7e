"""TLS on both sides: our leaf towards the client, full verification towards the upstream.

pyOpenSSL rather than `ssl`, because the engine underneath drives memory BIOs of that library.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from tameflare_core.system_roots import system_roots
from tameflare_proxy.authority import Authority, Leaf

__all__ = ["ClientTls", "upstream_connection"]

_ALPN = (b"h2", b"http/1.1")

# X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT (openssl/x509v3.h)
_HOST_FLAGS = 0x4 | 0x20

_MAX_CONTEXTS = 1024

# pyOpenSSL has no public call for the verification of a host name.
_openssl: Any = vars(SSL)["_lib"]

type _NoProtocol = Any  # the type of SSL.NO_OVERLAPPING_PROTOCOLS is private


class ClientTls:
    """Makes server-side TLS connections with a leaf of the local authority.

    Args:
        authority: issues the leaves.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._contexts: dict[str, tuple[Leaf, SSL.Context]] = {}

    def connection(self, host: str) -> SSL.Connection:
        """A connection that proves to be `host` (canonical form)."""
        leaf = self._authority.leaf(host)
        known = self._contexts.get(host)
        if known is None or known[0] is not leaf:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
            known = self._contexts[host] = leaf, _server_context(leaf)
        connection = SSL.Connection(known[1])
        connection.set_accept_state()
        return connection


def _server_context(leaf: Leaf) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.use_certificate(leaf.certificate)
    context.use_privatekey(leaf.key)
    context.set_alpn_select_callback(_choose_protocol)
    return context


def _choose_protocol(_: SSL.Connection, offered: list[bytes]) -> bytes | _NoProtocol:
    for name in offered:
        if name in _ALPN:
            return name
    return SSL.NO_OVERLAPPING_PROTOCOLS


def upstream_connection(host: str, ca_file: Path | None, alpn: list[bytes]) -> SSL.Connection:
    """A client-side connection that accepts a valid certificate for `host` and nothing else.

    Args:
        host: the name or address that was dialled, IPv6 without brackets.
        ca_file: trust anchors besides the system's.
        alpn: the protocols to offer; none offers no ALPN.
    """
    connection = SSL.Connection(_client_context(ca_file))
    # Without these, any valid certificate of anybody would do.
    parameters = _openssl.SSL_get0_param(connection._ssl)
    _openssl.X509_VERIFY_PARAM_set_hostflags(parameters, _HOST_FLAGS)
    try:
        packed = ipaddress.ip_address(host).packed
    except ValueError:
        name = host.encode("ascii")
        connection.set_tlsext_host_name(name)
        done = _openssl.X509_VERIFY_PARAM_set1_host(parameters, name, len(name))
    else:
        # RFC 6066 section 3: an address is no server name.
        done = _openssl.X509_VERIFY_PARAM_set1_ip(parameters, packed, len(packed))
    SSL._openssl_assert(done == 1)
    if alpn:
        connection.set_alpn_protos(alpn)
    connection.set_connect_state()
    return connection


@lru_cache(maxsize=64)
def _client_context(ca_file: Path | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_PEER)
    context.load_verify_locations(str(system_roots()))
    if ca_file is not None:
        context.load_verify_locations(str(ca_file))
    return context
