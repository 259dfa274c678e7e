"""An approval as a gateway opens it."""

from __future__ import annotations

from typing import Any


def approval(approval_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": approval_id,
        "revision": "r1",
        "fingerprint": "ab" * 32,
        "created": "2026-03-01T12:00:00+00:00",
        "timeout": 300.0,
        "roles": None,
        "method": "PUT",
        "url": "https://api.github.com/repos/o/r/pulls/1/merge",
        "body": "{}",
        "connector": "github",
        "reason": "merging needs a human",
        "rule": {"kind": "permission", "id": "permissions[1]", "pattern": "github.*"},
        "actions": [
            {
                "name": "github.pr.merge",
                "access": "write",
                "risk": "high",
                "risk_score": 60,
                "categories": [],
                "resource": {"owner": "o", "repo": "r"},
                "params": {},
                "decision": "require_approval",
            }
        ],
        "subjects": [
            {
                "connector": "github",
                "action": "github.pr.merge",
                "resource": [["owner", "o"], ["repo", "r"]],
                "rule": "permissions[1]",
            }
        ],
        **changes,
    }
