"""What a pattern covers, and that the index finds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.patterns import ActionPattern, PatternIndex

# Whether a pattern covers a name, as the rules for unmapped and opaque actions have it.
COVERED = [
    # pattern                 name                     covered
    ("github.pr.merge", "github.pr.merge", True),
    ("github.pr.merge", "github.pr.merged", False),
    ("github.pr.merge", "github.pr", False),
    ("github.pr.merge", "github.pr.merge.async", False),
    # A final `*` is one segment or more, never none.
    ("github.*", "github.pr.merge", True),
    ("github.pr.*", "github.pr.merge", True),
    ("github.pr.*", "github.pr", False),
    ("github.pr.merge.*", "github.pr.merge", False),
    ("mcp.tools.*", "mcp.tools.call.read", True),
    ("*", "http.get", True),
    # A `*` before the end is exactly one segment.
    ("github.*.merge", "github.pr.merge", True),
    ("github.*.merge", "github.merge", False),
    ("github.*.merge", "github.a.b.merge", False),
    ("*.pr.*", "github.pr.merge", True),
    ("*.*", "http.get", True),
    ("*.*.*", "http.get", False),
    # It is no glob within a segment, and no prefix of one.
    ("git.*", "github.pr.merge", False),
    ("github.p.*", "github.pr.merge", False),
    # Unmapped: by `<provider>.*` and by a pattern that writes it out, never by a narrower one.
    ("github.*", "github.unmapped.post", True),
    ("*", "github.unmapped.post", True),
    ("github.unmapped.*", "github.unmapped.post", True),
    ("github.unmapped.post", "github.unmapped.post", True),
    ("*.unmapped.post", "github.unmapped.post", True),
    ("github.*.post", "github.unmapped.post", False),
    ("github.*.*", "github.unmapped.post", False),
    ("*.*", "github.unmapped.post", False),
    ("*.*.post", "github.unmapped.post", False),
    # Opaque: only by a pattern that writes it out.
    ("github.opaque.post", "github.opaque.post", True),
    ("github.opaque.*", "github.opaque.post", True),
    ("*.opaque.*", "github.opaque.post", True),
    ("github.*", "github.opaque.post", False),
    ("*", "github.opaque.post", False),
    ("github.*.post", "github.opaque.post", False),
    # Elsewhere in a name the words mean nothing.
    ("mcp.tools.*", "mcp.tools.opaque", True),
]


@pytest.mark.parametrize(("pattern", "name", "covered"), COVERED)
def test_permission_pattern_is_about_what_the_table_says(
    pattern: str, name: str, covered: bool
) -> None:
    assert ActionPattern(pattern).permits(name) is covered


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "github.",
        ".pr",
        "github..pr",
        "GitHub.*",
        "github.p*",
        "**",
        "github.pr merge",
        "github.*\n",
        "é",
    ],
)
def test_malformed_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an action pattern"):
        ActionPattern(text)


@pytest.mark.parametrize("name", ["github.pr.unmapped", "github.pr.opaque"])
def test_only_the_second_segment_says_what_is_unknown(name: str) -> None:
    assert ActionPattern("github.pr.*").permits(name)


_SEGMENTS = st.sampled_from(["github", "pr", "issue", "merge", "opaque", "unmapped"])
_NAMES = st.lists(_SEGMENTS, min_size=2, max_size=4).map(".".join)
_PATTERNS = st.lists(_SEGMENTS | st.just("*"), min_size=1, max_size=4).map(".".join)


@given(patterns=st.lists(_PATTERNS, max_size=12), name=_NAMES)
def test_index_finds_what_a_search_from_end_to_end_finds(patterns: list[str], name: str) -> None:
    index = PatternIndex([(ActionPattern(text), text) for text in patterns], ActionPattern.covers)
    found = index.find(name)
    assert sorted(found) == sorted(text for text in patterns if ActionPattern(text).covers(name))
    ranks = [ActionPattern(text).specificity for text in found]
    assert ranks == sorted(ranks, reverse=True)
    assert index.find(name) == found
