from __future__ import annotations

import pytest

from tameflare_cli.rendering import fields, notice, one_line, print_table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[2Kgone", "\\x1b[2Kgone"),
        ("right\u202eleft", "right\\u202eleft"),
        ("half\ud800", "half\\ud800"),
    ],
)
def test_untrusted_text_stays_on_its_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_fields_are_escaped_on_both_sides() -> None:
    assert fields([("a\n", "b\r"), ("n", 1)]) == "a\\n=b\\r n=1"


def test_notice_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    notice("kept from the program: X")
    assert capsys.readouterr() == ("", "tf: kept from the program: X\n")


def test_table_aligns_and_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "risk"), [("github.pr.merge", "high"), ("a\x1b", "low")])
    assert capsys.readouterr().out.splitlines() == [
        "name             risk",
        "github.pr.merge  high",
        "a\\x1b            low",
    ]
