"""The environment that `tf run` gives a program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tameflare_cli.environment import ChildEnvironment, ProxyAddress, child_environment
from tameflare_cli.trust import TrustFiles

PROXY = ProxyAddress(host="127.0.0.1", port=4711, token="gwtk_secret")
URL = "http://gwtk_secret:x@127.0.0.1:4711"
TRUST = TrustFiles(
    bundle=Path("/run/ca.pem"), no_roots=Path("/run/none"), java_store=Path("/state/a b.p12")
)


def made(secrets: tuple[str, ...] = (), **parent: str) -> ChildEnvironment:
    return child_environment(parent, proxy=PROXY, trust=TRUST, secrets=secrets)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, URL) for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")),
        *((name, URL) for name in ("http_proxy", "https_proxy", "all_proxy")),
        ("NO_PROXY", ""),
        ("no_proxy", ""),
        ("NODE_USE_ENV_PROXY", "1"),
        ("SSL_CERT_FILE", "/run/ca.pem"),
        ("SSL_CERT_DIR", "/run/none"),
        ("REQUESTS_CA_BUNDLE", "/run/ca.pem"),
        ("CURL_CA_BUNDLE", "/run/ca.pem"),
        ("NODE_EXTRA_CA_CERTS", "/run/ca.pem"),
        ("GIT_SSL_CAINFO", "/run/ca.pem"),
        ("AWS_CA_BUNDLE", "/run/ca.pem"),
        ("PIP_CERT", "/run/ca.pem"),
        ("HTTPLIB2_CA_CERTS", "/run/ca.pem"),
        ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "/run/ca.pem"),
        ("NPM_CONFIG_CAFILE", "/run/ca.pem"),
        ("DENO_CERT", "/run/ca.pem"),
        ("CARGO_HTTP_CAINFO", "/run/ca.pem"),
        ("GITHUB_TOKEN", "tf_placeholder_github"),
        ("OPENAI_API_KEY", "tf_placeholder_openai"),
        ("ANTHROPIC_API_KEY", "tf_placeholder_anthropic"),
        ("STRIPE_API_KEY", "tf_placeholder_stripe"),
        ("SLACK_BOT_TOKEN", "tf_placeholder_slack"),
    ],
)
def test_variable_is_set(name: str, value: str) -> None:
    assert made().variables[name] == value
    assert made(**{name: "something else entirely"}).variables[name] == value


def test_everything_else_is_inherited() -> None:
    assert made(EDITOR="vi").variables["EDITOR"] == "vi"


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "GH_TOKEN", "STRIPE_SECRET_KEY", "SLACK_TOKEN", "ANTHROPIC_AUTH_TOKEN"]
)
def test_real_key_is_replaced_and_named(name: str) -> None:
    child = made(**{name: "real_0123456789"})
    assert child.removed == (name,)
    assert child.variables[name].startswith("tf_placeholder_")


def test_placeholder_of_an_outer_run_is_no_real_key() -> None:
    assert made(GITHUB_TOKEN="tf_placeholder_github").removed == ()


def test_credential_of_the_configuration_is_removed() -> None:
    child = made(("CRM_KEY",), CRM_KEY="crm_0123456789")
    assert child.removed == ("CRM_KEY",)
    assert "CRM_KEY" not in child.variables


def test_copy_of_a_real_key_is_removed() -> None:
    child = made(GITHUB_TOKEN="ghp_0123456789", COPY="Bearer ghp_0123456789", OTHER="ghp_x")
    assert child.removed == ("COPY", "GITHUB_TOKEN")
    assert "ghp_0123456789" not in " ".join(child.variables.values())
    assert child.variables["OTHER"] == "ghp_x"


def test_short_key_removes_no_stranger() -> None:
    assert made(GITHUB_TOKEN="x", NEXT="xyz").variables["NEXT"] == "xyz"


def test_our_own_keys_stay_here() -> None:
    child = made(TAMEFLARE_VAULT_KEY="v", TAMEFLARE_GATEWAY_TOKEN="t")
    assert not {"TAMEFLARE_VAULT_KEY", "TAMEFLARE_GATEWAY_TOKEN"} & set(child.variables)


def test_java_options_are_appended() -> None:
    options = made(JAVA_TOOL_OPTIONS="-Xmx1g").variables["JAVA_TOOL_OPTIONS"]
    assert options.startswith("-Xmx1g ")
    for option in (
        '"-Djavax.net.ssl.trustStore=/state/a b.p12"',
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        "-Dhttps.proxyHost=127.0.0.1",
        "-Dhttps.proxyPort=4711",
        "-Dhttps.proxyUser=gwtk_secret",
        "-Dhttp.nonProxyHosts=",
        "-Djdk.http.auth.tunneling.disabledSchemes=",
    ):
        assert f" {option} " in f"{options} "


def test_python_path_keeps_what_was_there() -> None:
    own, *rest = made(PYTHONPATH="/a:/b").variables["PYTHONPATH"].split(":")
    assert rest == ["/a", "/b"]
    assert Path(own, "sitecustomize.py").is_file()
    # An empty entry would put the current folder on the path.
    assert made().variables["PYTHONPATH"] == own
    assert made(PYTHONPATH=own).variables["PYTHONPATH"] == own


def test_token_is_quoted_in_the_url_and_shown_nowhere_else() -> None:
    proxy = ProxyAddress(host="h", port=1, token="a/b@c")
    assert proxy.url == "http://a%2Fb%40c:x@h:1"
    assert "a/b" not in repr(proxy)


@pytest.mark.parametrize(("own", "number"), [({}, "0"), ({"GIT_CONFIG_COUNT": "2"}, "2")])
def test_git_uses_http_1_beside_its_own_configuration(own: dict[str, str], number: str) -> None:
    variables = made(**own).variables
    assert variables["GIT_CONFIG_COUNT"] == str(int(number) + 1)
    assert variables[f"GIT_CONFIG_KEY_{number}"] == "http.version"
    assert variables[f"GIT_CONFIG_VALUE_{number}"] == "HTTP/1.1"
