"""The built-in list of hosts by which data go to anybody."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from importlib.resources import files

import pytest

from tameflare_core.builtin.exfiltration_hosts import ExfiltrationHosts
from tameflare_core.canonical import canonical_host

HEAD, *LINES = (
    files("tameflare_core.builtin")
    .joinpath("hosts/exfiltration.tsv")
    .read_text("utf-8")
    .splitlines()
)
ROWS = [tuple(line.split("\t")) for line in LINES]
DOMAINS = [domain for domain, _ in ROWS]

# What agents work with; to block it by a category would be a surprise.
MAINLY_SOMETHING_ELSE = [
    "api.github.com",
    "gist.github.com",
    "raw.githubusercontent.com",
    "drive.google.com",
    "bucket.s3.amazonaws.com",
    "dropbox.com",
    "hooks.slack.com",
    "api.cloudflare.com",
    "visualstudio.com",
    "httpbin.org",
    "debian.net",
    "ubuntu.com",
    "mozilla.org",
    "com",
    "example.com",
]


def classify(host: str) -> set[str]:
    return set(ExfiltrationHosts().classify(canonical_host(host)))


def test_list_is_sorted_and_has_each_domain_once() -> None:
    assert HEAD == "domain\tcategory"
    assert sorted(ROWS) == ROWS
    assert len(set(DOMAINS)) == len(DOMAINS)


def test_no_domain_is_below_another() -> None:
    listed = set(DOMAINS)
    for domain in DOMAINS:
        labels = domain.split(".")
        assert listed.isdisjoint(".".join(labels[n:]) for n in range(1, len(labels)))


def test_domains_are_written_as_requests_name_them() -> None:
    assert [canonical_host(domain) for domain in DOMAINS] == DOMAINS
    assert all("." in domain for domain in DOMAINS)


def test_every_declared_category_has_its_hosts() -> None:
    counted = Counter(category for _, category in ROWS)
    assert set(counted) == ExfiltrationHosts.categories
    assert min(counted.values()) >= 15


@pytest.mark.parametrize(
    ("host", "category"),
    [
        ("pastebin.com", "paste_site"),
        ("api.paste.ee", "paste_site"),
        ("webhook.site", "request_catcher"),
        ("abc123.oast.fun", "request_catcher"),
        ("eo1.m.pipedream.net", "request_catcher"),
        ("1234-203-0-113-9.ngrok-free.app", "tunnel"),
        ("a.b.trycloudflare.com", "tunnel"),
        ("files.catbox.moe", "file_drop"),
        ("TRANSFER.SH.", "file_drop"),
        ("\uff30astebin.com", "paste_site"),
    ],
)
def test_service_and_what_is_below_it_is_classified(host: str, category: str) -> None:
    assert classify(host) == {category}


@pytest.mark.parametrize(
    "host",
    [
        *MAINLY_SOMETHING_ELSE,
        "notpastebin.com",
        "pastebin.com.example.com",
        "pastebin-com.example",
        "my-0x0.st",
        "127.0.0.1",
        "[2001:db8::1]",
    ],
)
def test_other_host_has_no_category(host: str) -> None:
    assert classify(host) == set()


def test_list_is_read_on_first_use() -> None:
    code = (
        "from tameflare_core.plugins import load_plugins\n"
        "from tameflare_core.builtin import exfiltration_hosts as hosts\n"
        "load_plugins(entry_points=False)\n"
        "print(hosts._listed.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
