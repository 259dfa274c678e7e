"""Limits where they have to be exact: many requests at once, over many connections."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.proxy.running import Client

MOST = 10
ASKED = 40
POLICY = """
    policies:
      - name: few
        rules:
          - {{name: calls, limit: {{requests: 10, within: 1h}}, decision: {decision}}}
"""
READ = "/api/v3/repos/o/r"


@pytest.fixture
def limited(start_gateway, origin):
    return start_gateway(origin.port, extra="\n" + POLICY.format(decision="deny"))


def asked(gateway, origin, path: str = READ) -> int:
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        client.send(f"GET {path} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
        return client.got().status


def test_limit_is_exact_for_requests_that_come_at_once(limited, origin) -> None:
    with ThreadPoolExecutor(ASKED) as threads:
        statuses = list(threads.map(lambda _: asked(limited, origin), range(ASKED)))
    assert statuses.count(200) == MOST
    assert statuses.count(403) == ASKED - MOST
    assert len(origin.requests) == MOST
    verdicts = [record.verdict for record in limited.records.wait(ASKED)]
    over = [verdict for verdict in verdicts if verdict and verdict.rule.pattern == "few/calls"]
    assert len(over) == ASKED - MOST


def test_request_that_never_left_takes_no_place(limited, origin) -> None:
    (limited.folder / "key").chmod(0o644)  # a credential that others can read is none
    assert {asked(limited, origin) for _ in range(MOST + 5)} == {502}
    (limited.folder / "key").chmod(0o600)
    assert [asked(limited, origin) for _ in range(MOST + 1)] == [200] * MOST + [403]
