"""One gateway in front of a stand-in upstream, for both transports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.standin import Standin

SECRET = "sk-REAL"

CONFIGURATION = """\
version: 1
gateway: agent
enforcement: {enforcement}
connectors:
  - type: generic
    id: upstream
    base_url: https://localhost:{port}
    credential: "file:token"
    allow_private_network: {private}
    ca_file: {ca_file}
    actions:
      - {{method: POST, path: /forms, action: upstream.form.send, access: write}}
      - {{method: DELETE, path: "/repos/{{repo}}", action: upstream.repo.delete, access: write}}
      - {{method: PUT, path: "/merge", action: upstream.merge, access: write}}
  - type: generic
    id: other
    base_url: https://127.0.0.1:{port}
    allow_private_network: true
    ca_file: {ca_file}
  - {{type: github, id: ghe, base_url: "https://localhost:{github_port}/api/v3",
     allow_private_network: true, ca_file: {ca_file}}}
permissions:
  - {{connector: upstream, action: "*", decision: allow}}
  - {{connector: upstream, action: upstream.repo.delete, decision: deny}}
  - {{connector: upstream, action: upstream.merge, decision: require_approval}}
  - {{connector: other, action: http.get, decision: allow}}
  - {{connector: ghe, action: "github.*", decision: allow}}
  - {{connector: ghe, action: "github.opaque.*", decision: allow}}
approval: {{timeout: 30}}
"""


@pytest.fixture
def github(start_standin: Callable[..., Standin]) -> Standin:
    """The upstream of a connector that reads bodies."""
    return start_standin()


@pytest.fixture
def configure(tmp_path: Path, standin: Standin, github: Standin) -> Callable[..., Path]:
    """Writes the gateway's file, with a credential beside it."""

    def write(
        *,
        port: int = standin.port,
        private: str = "true",
        enforcement: str = "enforce",
        ca_file: Path = standin.ca_file,
    ) -> Path:
        token = tmp_path / "token"
        token.touch(mode=0o600)
        token.write_text(SECRET)
        path = tmp_path / "tameflare.yaml"
        path.write_text(
            CONFIGURATION.format(
                port=port,
                private=private,
                enforcement=enforcement,
                ca_file=ca_file,
                github_port=github.port,
            )
        )
        return path

    return write


@pytest.fixture
def configuration(configure: Callable[..., Path]) -> Path:
    """The gateway's file as it mostly is."""
    return configure()
