"""The parts of a document: what each key may be; see `test_document.py` for their effect."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tameflare_core.config.parts import ConnectorPart, GatewayPart, PolicyRulePart


def test_only_a_connector_takes_keys_of_its_type() -> None:
    assert ConnectorPart(type="own", option=1).options == {"option": 1}  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        GatewayPart(version=1, gateway="g", option=1)  # type: ignore[call-arg]


def test_parts_never_change() -> None:
    part = GatewayPart(version=1, gateway="g")
    with pytest.raises(ValidationError, match="frozen"):
        part.gateway = "other"  # type: ignore[misc]


@pytest.mark.parametrize("requests", [True, 1.5, "1"])
def test_number_of_requests_is_a_whole_number(requests: object) -> None:
    document = {"name": "r", "decision": "deny", "limit": {"requests": requests, "within": "1h"}}
    with pytest.raises(ValidationError, match=r"limit\.requests"):
        PolicyRulePart.model_validate(document)
