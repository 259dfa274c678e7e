"""The log: JSON lines with the request's id, and no secret in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tameflare_dashboard.logs import configure_logs
from tests.dashboard.conftest import PASSWORD, ControlPlane


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_line_carries_the_id_that_the_caller_got(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = control_plane.owner
    capsys.readouterr()
    configure_logs(logging.INFO)
    client = control_plane.client()
    answer = client.post("/api/v1/session", json={"email": owner.email, "password": PASSWORD})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line[:1] == "{"]
    (line,) = [one for one in lines if one["event"] == "request"]
    assert line["request_id"] == answer.headers["x-tameflare-request-id"]
    assert (line["route"], line["status"]) == ("api.access.log_in", 201)
    assert PASSWORD not in json.dumps(lines)
