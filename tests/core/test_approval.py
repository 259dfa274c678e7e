"""What an approval binds, and what an approver is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.approval import (
    LINE_LENGTH,
    PREVIEW_LENGTH,
    PREVIEW_LINES,
    fingerprint,
    preview,
    preview_line,
)
from tameflare_core.canonical import Ambiguity
from tameflare_core.request import Body, OutboundRequest

REQUEST = OutboundRequest.from_url(
    "POST",
    "https://a.example/x?y=1",
    headers=[("Content-Type", "text/plain"), ("Accept", "*/*")],
    body=Body.complete(b"data"),
)

# The fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, method="PUT"),
        replace(REQUEST, scheme="http", port=443),
        replace(REQUEST, host="b.example"),
        replace(REQUEST, port=444),
        replace(REQUEST, path="/z"),
        replace(REQUEST, query="y=2"),
        replace(REQUEST, query=None),
        replace(REQUEST, query=""),
        replace(REQUEST, body=Body.complete(b"date")),
        replace(REQUEST, body=Body.absent()),
        replace(REQUEST, body=Body.oversize()),
        replace(REQUEST, body=Body.oversize(b"x")),
        replace(REQUEST, headers=REQUEST.headers.replacing("content-type", "application/json")),
        replace(REQUEST, headers=REQUEST.headers.replacing("content-encoding", "gzip")),
        replace(REQUEST, headers=REQUEST.headers.replacing("x-http-method", "DELETE")),
        replace(REQUEST, headers=REQUEST.headers.replacing("stripe-account", "acct_1")),
        replace(REQUEST, headers=REQUEST.headers.replacing("authorization", "Bearer other")),
        replace(REQUEST, headers=REQUEST.headers.replacing("cookie", "session=1")),
        replace(REQUEST, headers=REQUEST.headers.replacing("x-anything", "")),
    ],
)
def test_answer_is_good_for_one_request_only(other: OutboundRequest) -> None:
    assert fingerprint("gateway", other) != fingerprint("gateway", REQUEST)


def test_answer_is_good_for_one_gateway_only() -> None:
    assert fingerprint("other", REQUEST) != fingerprint("gateway", REQUEST)


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, headers=REQUEST.headers.replacing("accept", "text/plain")),
        replace(REQUEST, headers=REQUEST.headers.replacing("traceparent", "00-1-2-01")),
        replace(REQUEST, headers=REQUEST.headers.replacing("idempotency-key", "1")),
        replace(REQUEST, headers=REQUEST.headers.replacing("x-stainless-retry-count", "1")),
        replace(REQUEST, headers=REQUEST.headers.replacing("prefer", "respond-async")),
        replace(REQUEST, ambiguities=frozenset({Ambiguity.TRAILING_SLASH})),
    ],
)
def test_same_request_sent_again_has_the_same_fingerprint(other: OutboundRequest) -> None:
    assert fingerprint("gateway", other) == fingerprint("gateway", REQUEST)


def test_parts_do_not_run_into_each_other() -> None:
    request = replace(REQUEST, method="GET", headers=REQUEST.headers.without("content-type"))
    assert fingerprint("aG", replace(request, method="ET")) != fingerprint("a", request)


# What is shown

# Things that show as nothing, move the text around, or leave the terminal's line.
MISLEADING = {
    "bidi override": "\u202e",
    "bidi isolate": "\u2066",
    "left-to-right mark": "\u200e",
    "arabic letter mark": "\u061c",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "word joiner": "\u2060",
    "soft hyphen": "\u00ad",
    "byte order mark": "\ufeff",
    "tag letter": "\U000e0041",
    "grapheme joiner": "\u034f",
    "hangul choseong filler": "\u115f",
    "hangul jungseong filler": "\u1160",
    "hangul filler": "\u3164",
    "half-width hangul filler": "\uffa0",
    "khmer inherent vowel": "\u17b4",
    "mongolian vowel separator": "\u180e",
    "mongolian variation selector": "\u180b",
    "braille blank": "\u2800",
    "null notehead": "\U0001d159",
    "khitan filler": "\U00016fe4",
    "variation selector": "\ufe0f",
    "variation selector 17": "\U000e0100",
    "no-break space": "\u00a0",
    "ideographic space": "\u3000",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "next line": "\u0085",
    "escape": "\x1b",
    "c1 control sequence": "\x9b",
    "backspace": "\x08",
    "carriage return": "\r",
    "tab": "\t",
    "vertical tab": "\x0b",
    "form feed": "\x0c",
    "nul": "\x00",
    "delete": "\x7f",
    "private use": "\ue000",
    "noncharacter": "\ufffe",
    "stroke overlay": "\u0336",
    "enclosing circle": "\u20dd",
}


@pytest.mark.parametrize("char", MISLEADING.values(), ids=MISLEADING.keys())
def test_misleading_character_is_escaped(char: str) -> None:
    escaped = char.encode("unicode_escape").decode("ascii")
    assert preview(f"a{char}b".encode()) == f"a{escaped}b"
    assert preview_line(f"a{char}b") == f"a{escaped}b"


@pytest.mark.parametrize(
    "text",
    ["plain ~!@#$", "caf\u00e9", "日本語", "Ελληνικά", "ไทยที่", "हिन्दी", "e\u0301", "→ 🙂", "שלום"],
)
def test_words_of_every_script_stay_words(text: str) -> None:
    assert preview(text.encode()) == text
    assert preview_line(text) == text


def test_pile_of_marks_is_cut_down() -> None:
    shown = preview_line("a" + "\u0301" * 20)
    assert shown.startswith("a\u0301\u0301\\u0301")
    assert shown.count("\u0301") == 2


@pytest.mark.parametrize("before", ["", " ", "1", "/", "\n", "-"])
def test_mark_without_a_letter_is_escaped(before: str) -> None:
    assert "\u0301" not in preview(f"{before}\u0301".encode())


def test_lines_stay_lines_in_a_body_only() -> None:
    assert preview(b"a\nb\r\nc") == "a\nb\\r\nc"
    assert preview_line("a\nb\r\nc") == "a\\nb\\r\\nc"


def test_invalid_utf8_is_shown_as_bytes() -> None:
    assert preview(b"a\xff\xc0\xaeb") == "a\\xff\\xc0\\xaeb"


def test_lone_surrogate_is_escaped() -> None:
    assert preview_line("a\ud800") == "a\\ud800"


def test_long_body_says_how_long_it_is() -> None:
    shown = preview(b"x" * 1_000_000)
    assert shown == "x" * PREVIEW_LENGTH + "… (1000000 bytes in all)"
    assert preview(b"x" * PREVIEW_LENGTH) == "x" * PREVIEW_LENGTH
    assert preview("é".encode() * PREVIEW_LENGTH) == "é" * PREVIEW_LENGTH


def test_body_cannot_scroll_the_question_away() -> None:
    shown = preview(b"\n" * 1000 + b"Approve? y")
    assert shown.count("\n") < PREVIEW_LINES
    assert "Approve" not in shown
    assert shown.endswith("(1010 bytes in all)")


def test_as_many_lines_as_the_limit_are_whole() -> None:
    assert preview(b"x\n" * (PREVIEW_LINES - 1)) == "x\n" * (PREVIEW_LINES - 1)


def test_long_line_says_how_long_it_is() -> None:
    assert preview_line("y" * 10_000) == "y" * LINE_LENGTH + "… (10000 characters in all)"
    assert preview_line("abc", limit=2) == "ab… (3 characters in all)"


@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
def test_whatever_is_shown_can_be_seen(data: bytes) -> None:
    shown = preview(data)
    assert all(char == "\n" or char.isprintable() for char in shown)
    assert not set(shown) & set(MISLEADING.values())
    assert len(shown) <= 10 * max(1, len(data)) + 40


@given(st.text(max_size=100))
def test_one_line_stays_one(text: str) -> None:
    assert len(preview_line(text).splitlines()) <= 1
    assert preview_line(text).isprintable()
