"""Everything that TameFlare raises on purpose.

::

    TameflareError
    ├── RequestRejected          a request that cannot be read in exactly one way (400)
    ├── OpaqueBody               a body that cannot be read, so that its action cannot be named
    ├── ConfigError              a document that cannot be loaded: file, line and key are named
    ├── PluginError              a plugin that breaks the contract of its hook
    ├── CredentialError          a credential that cannot be had
    │   └── VaultError           a vault entry that is absent, damaged or under another key
    ├── UpstreamError            nothing was sent, or no answer came back (502)
    │   └── AddressRefused       the address guard refused every address of a name
    ├── ApprovalUnavailable      there is nobody to ask
    ├── ApprovalNotUsable        an approval that is unknown, used, expired, or for another request
    ├── ControlPlaneUnreachable  the control plane gives no answer
    ├── ControlPlaneRefused      the control plane answers, and says no
    │   └── TokenUnknown         it does not know the gateway's token, or no longer
    ├── ExchangeKilled           a kill switch ended a request that had been sent
    └── ClientGone               the client went away while its request was held

Each is caught by name somewhere; everything else that is raised inside the path of a request is a
defect, and ends in a refusal all the same.
"""

from __future__ import annotations

__all__ = [
    "AddressRefused",
    "ApprovalNotUsable",
    "ApprovalUnavailable",
    "ClientGone",
    "ConfigError",
    "ControlPlaneRefused",
    "ControlPlaneUnreachable",
    "CredentialError",
    "ExchangeKilled",
    "OpaqueBody",
    "PluginError",
    "RequestRejected",
    "TameflareError",
    "TokenUnknown",
    "UpstreamError",
    "VaultError",
]


class TameflareError(Exception):
    """Base of every error that TameFlare raises on purpose."""


class RequestRejected(TameflareError):
    """The request is malformed or can be read in two ways; it is answered with 400."""


class OpaqueBody(TameflareError):
    """The body cannot be read, so the connector's opaque action is judged instead."""


class ConfigError(TameflareError):
    """A configuration cannot be loaded.

    Attributes:
        problems: one line each, `file:line: key: what is wrong`.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PluginError(TameflareError):
    """A plugin breaks the contract of its hook."""


class CredentialError(TameflareError):
    """A credential cannot be had; the message never holds any part of it."""


class VaultError(CredentialError):
    """A vault entry is absent, damaged, or sealed under another key."""


class UpstreamError(TameflareError):
    """The upstream could not be reached, verified, or did not answer."""


class AddressRefused(UpstreamError):
    """No address of the upstream's name may be dialled."""


class ApprovalUnavailable(TameflareError):
    """An approval is required and nobody can be asked."""


class ApprovalNotUsable(TameflareError):
    """An approval cannot be used for this request: unknown, for another one, used, or expired."""


class ControlPlaneUnreachable(TameflareError):
    """The control plane gives no answer, or cannot work."""


class ControlPlaneRefused(TameflareError):
    """The control plane refuses what it is asked.

    Attributes:
        status: of its answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class TokenUnknown(ControlPlaneRefused):
    """The gateway's token is unknown to the control plane, expired or revoked."""


class ExchangeKilled(TameflareError):
    """A kill switch ended a request that had been sent already."""


class ClientGone(TameflareError):
    """The client closed its side while its request was held."""
