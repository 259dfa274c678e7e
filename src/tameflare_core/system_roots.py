"""Where this machine keeps the roots that it trusts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tameflare_core.errors import ConfigError

__all__ = ["system_roots"]

# Source of the paths: Go, crypto/x509/root_linux.go and root_bsd.go.
_USUAL_PLACES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu, Gentoo, Arch
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, RHEL 6
    Path("/etc/ssl/ca-bundle.pem"),  # openSUSE
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),  # RHEL 7 and later
    Path("/etc/ssl/cert.pem"),  # Alpine, macOS, the BSDs
)


def system_roots(usual_places: Sequence[Path] = _USUAL_PLACES) -> Path:
    """The PEM file of the roots that this machine trusts.

    Args:
        usual_places: where to look when `SSL_CERT_FILE` is not set; the first file there is taken,
            and when there is none, the roots of the certifi package.

    Raises:
        ConfigError: `SSL_CERT_FILE` names no file; whoever set it did not mean other roots.
    """
    own = os.environ.get("SSL_CERT_FILE")
    if own:
        if not Path(own).is_file():
            raise ConfigError(f"SSL_CERT_FILE: no file `{own}`: correct it or unset it")
        return Path(own)
    for place in usual_places:
        if place.is_file():
            return place
    import certifi

    return Path(certifi.where())
