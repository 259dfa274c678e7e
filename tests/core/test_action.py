"""Names of actions, and what an action is known not to say."""

from __future__ import annotations

import pytest

from tameflare_core.action import action_name


@pytest.mark.parametrize(
    "name", ["http.get", "github.pr.merge", "mcp.tools.call.read-file", "a_1.2"]
)
def test_dotted_lower_case_is_a_name(name: str) -> None:
    assert action_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "github",
        "github.",
        ".pr",
        "github..pr",
        "GitHub.pr",
        "github.*",
        "github.-x",
        "github.pr ",
        "a.é",
        "github.pr\n",
    ],
)
def test_anything_else_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not an action name"):
        action_name(name)
