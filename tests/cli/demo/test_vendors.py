from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tameflare_cli.demo import vendors
from tameflare_proxy.authority import Authority


def test_vendor_answers_over_tls_and_remembers_the_key(tmp_path: Path) -> None:
    authority = Authority.load_or_create(tmp_path / "vendors")
    with vendors.running("github", authority, tmp_path) as vendor:
        context = ssl.create_default_context(cafile=authority.certificate_path)
        request = urllib.request.Request(f"https://localhost:{vendor.port}/x")
        request.add_header("Authorization", "Bearer k")
        with urllib.request.urlopen(request, context=context) as response:
            assert json.load(response) == {"vendor": "github", "ok": True}
    assert vendor.received == [("GET", "/x", "Bearer k")]


def test_vendor_is_gone_after_the_context(tmp_path: Path) -> None:
    authority = Authority.load_or_create(tmp_path / "vendors")
    with vendors.running("github", authority, tmp_path) as vendor:
        pass
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"https://localhost:{vendor.port}/x", timeout=5)
