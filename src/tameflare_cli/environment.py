"""The environment of a child: the way to the gateway, whom to trust, and no real key.

It is made from the environment of `tf` and changes nothing in that one: a gateway in the same
process goes on finding the credentials that are named `env:…` there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tameflare_cli.trust import JAVA_STORE_PASSWORD, TrustFiles

__all__ = ["ChildEnvironment", "ProxyAddress", "child_environment"]

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "PIP_CERT",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NPM_CONFIG_CAFILE",
    "DENO_CERT",
    "CARGO_HTTP_CAINFO",
    "TAMEFLARE_CA_BUNDLE",
)

# Clients refuse to start without a key, so these are always there.
_PLACEHOLDERS = {
    "GITHUB_TOKEN": "tf_placeholder_github",
    "OPENAI_API_KEY": "tf_placeholder_openai",
    "ANTHROPIC_API_KEY": "tf_placeholder_anthropic",
    "STRIPE_API_KEY": "tf_placeholder_stripe",
    "SLACK_BOT_TOKEN": "tf_placeholder_slack",
}
# Other names of the same keys: replaced where they are set.
_ALIASES = {
    "GH_TOKEN": "tf_placeholder_github",
    "ANTHROPIC_AUTH_TOKEN": "tf_placeholder_anthropic",
    "STRIPE_SECRET_KEY": "tf_placeholder_stripe",
    "SLACK_TOKEN": "tf_placeholder_slack",
}
_OURS = frozenset({"TAMEFLARE_VAULT_KEY", "TAMEFLARE_GATEWAY_TOKEN"})
# Shorter values than this are found in variables that have nothing to do with the secret.
_RECOGNISABLE = 12

_CHILD_SITE = Path(__file__).parent / "child_site"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAddress:
    """Where a gateway listens.

    Attributes:
        host, port: its address, as a client writes it.
        token: the gateway's token.
        scheme: `http`, or `https` where the way to the gateway is encrypted.
    """

    host: str
    port: int
    token: str
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The URL for proxy variables.

        The token is the user name. The password means nothing, but without one Python's urllib
        sends no credentials at all.
        """
        return f"{self.scheme}://{quote(self.token, safe='')}:x@{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"ProxyAddress({self.scheme}://{self.host}:{self.port})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnvironment:
    """What a child is started with.

    Attributes:
        variables: all of its environment.
        removed: names of variables whose real value was kept from it.
    """

    variables: dict[str, str]
    removed: tuple[str, ...]


def child_environment(
    parent: Mapping[str, str],
    *,
    proxy: ProxyAddress,
    trust: TrustFiles,
    secrets: Iterable[str] = (),
) -> ChildEnvironment:
    """Make the environment of a child.

    Args:
        parent: the environment of `tf`.
        proxy: the gateway.
        trust: the run's trust anchors.
        secrets: further variables that hold a real credential.
    """
    real = _real_secrets(parent, secrets)
    variables = {
        name: value for name, value in parent.items() if name not in real and name not in _OURS
    }
    variables |= _PLACEHOLDERS
    variables |= {name: stand_in for name, stand_in in _ALIASES.items() if name in parent}
    for name in _PROXY_VARIABLES:
        variables[name] = variables[name.lower()] = proxy.url
    variables["NO_PROXY"] = variables["no_proxy"] = ""
    variables["NODE_USE_ENV_PROXY"] = "1"
    variables |= dict.fromkeys(_BUNDLE_VARIABLES, str(trust.bundle))
    variables["SSL_CERT_DIR"] = str(trust.no_roots)
    variables["JAVA_TOOL_OPTIONS"] = _java_options(parent, proxy, trust)
    variables["PYTHONPATH"] = _python_path(parent)
    variables |= _git_configuration(parent)
    return ChildEnvironment(variables=variables, removed=tuple(sorted(real)))


def _real_secrets(parent: Mapping[str, str], secrets: Iterable[str]) -> set[str]:
    stand_ins = {"", *_PLACEHOLDERS.values()}
    named = {*_PLACEHOLDERS, *_ALIASES, *secrets}
    real = {name for name in named if parent.get(name, "") not in stand_ins}
    values = [parent[name] for name in real if len(parent[name]) >= _RECOGNISABLE]
    # The same key under a name that nobody told us.
    copies = {name for name, text in parent.items() if any(value in text for value in values)}
    return real | copies


def _java_options(parent: Mapping[str, str], proxy: ProxyAddress, trust: TrustFiles) -> str:
    settings = {
        "javax.net.ssl.trustStore": str(trust.java_store),
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": JAVA_STORE_PASSWORD,
        # By default Java goes past the proxy for loopback, and never sends a proxy a password for a
        # tunnel. Programs that ask for the credentials of a proxy find them in these two.
        "http.nonProxyHosts": "",
        "jdk.http.auth.tunneling.disabledSchemes": "",
    }
    for scheme in ("http", "https"):
        settings |= {
            f"{scheme}.proxyHost": proxy.host,
            f"{scheme}.proxyPort": str(proxy.port),
            f"{scheme}.proxyUser": proxy.token,
            f"{scheme}.proxyPassword": "",
        }
    options = [f"-D{name}={value}" for name, value in settings.items()]
    quoted = [f'"{option}"' if " " in option else option for option in options]
    return " ".join([*filter(None, [parent.get("JAVA_TOOL_OPTIONS")]), *quoted])


def _git_configuration(parent: Mapping[str, str]) -> dict[str, str]:
    # Over HTTP/2, git 2.39 with curl 7.88 sometimes waits for itself for ever when the window is
    # full at the end of a large push.
    count = parent.get("GIT_CONFIG_COUNT", "")
    number = int(count) if count.isascii() and count.isdigit() else 0
    return {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": "http.version",
        f"GIT_CONFIG_VALUE_{number}": "HTTP/1.1",
    }


def _python_path(parent: Mapping[str, str]) -> str:
    own = str(_CHILD_SITE)
    inherited = parent.get("PYTHONPATH", "")
    # An empty entry would mean the current folder, which nobody asked for.
    rest = [entry for entry in inherited.split(os.pathsep) if entry != own] if inherited else []
    return os.pathsep.join([own, *rest])
