"""YAML with places: one reading of a document, and the line of everything in it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import ConfigError
from tameflare_core.yaml_source import YamlSource

SECRETS = [
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0123456789_abcdefghijklmnop",
    "sk-proj-abcDEF123",
    "sk_live_51H8xyz",
    "xoxb-123-456-abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "glpat-abcdefghij",
    "gwtk_abc123",
    "tfpat_abc123",
    "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY",
]


def problem_of(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        YamlSource.parse(text, "t.yaml")
    (problem,) = refused.value.problems
    return problem


def test_document_is_plain_values() -> None:
    assert YamlSource.parse('a: [1, {b: "x"}]\nc: true\n', "t.yaml").data == {
        "a": [1, {"b": "x"}],
        "c": True,
    }


@pytest.mark.parametrize("text", ["", "# nothing", "\n\n", "---\n"])
def test_empty_document_says_nothing(text: str) -> None:
    assert YamlSource.parse(text, "t.yaml").data is None


def test_byte_order_mark_is_no_content() -> None:
    assert YamlSource.parse("\ufeffa: 1", "t.yaml").data == {"a": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", "t.yaml:2: a: given twice"),
        ("x:\n  - {a: 1,\n     a: 2}", "t.yaml:3: x[0].a: given twice"),
        ('a: 1\n"a": 2', "t.yaml:2: a: given twice"),
        (
            "a: 1\non: 2",
            "t.yaml:2: not valid YAML: a key that is no text to YAML: put it in quotes",
        ),
        ("1: a", "t.yaml:1: not valid YAML: a key that is no text to YAML: put it in quotes"),
        ("~: a", "t.yaml:1: not valid YAML: a key that is no text to YAML: put it in quotes"),
        ("? [a]\n: b", "t.yaml:1: not valid YAML: a key that is no text to YAML: put it in quotes"),
        ("<<: {a: 1}", "t.yaml:1: not valid YAML: a key that is no text to YAML: put it in quotes"),
        ("a: &x 1\nb: *x", "t.yaml:2: not valid YAML: aliases are not supported"),
        ("a: &x [*x]", "t.yaml:1: not valid YAML: aliases are not supported"),
        ("a: !!python/name:os.system x", "t.yaml:1: not valid YAML: tags are not supported"),
        ("b: 1\na: !!str 1", "t.yaml:2: not valid YAML: tags are not supported"),
        ("a: 1\n---\nb: 2", "t.yaml:2: not valid YAML: but found another document"),
        (
            "a:\n\tb: 1",
            "t.yaml:2: not valid YAML: found character '\\t' that cannot start any token",
        ),
        ("a: 1\nb: x\x00", "t.yaml:2: not valid YAML: the character U+0000 is not allowed"),
        ("a: 1\nb: \x1b[2K", "t.yaml:2: not valid YAML: the character U+001B is not allowed"),
        ("a: [1, 2", "t.yaml:1: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 'x", "t.yaml:1: not valid YAML: found unexpected end of stream"),
        ("[" * 5000, "t.yaml:1: not valid YAML: it nests too deeply"),
        (
            "a: 1\nb: 2024-99-99",
            "t.yaml:2: not valid YAML: what looks like a date is none: put it in quotes",
        ),
    ],
)
def test_unclear_document_is_refused_with_its_line(text: str, problem: str) -> None:
    assert problem_of(text) == problem


def test_billion_laughs_are_refused_at_once() -> None:
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(60))
    started = time.perf_counter()
    assert problem_of(text) == "t.yaml:2: not valid YAML: aliases are not supported"
    assert time.perf_counter() - started < 0.5


def test_problem_names_file_line_and_key() -> None:
    source = YamlSource.parse("a:\n  - b: 1\n    c: 2\n", "t.yaml")
    assert source.problem(("a", 0, "c"), "wrong") == "t.yaml:3: a[0].c: wrong"
    assert source.problem(("a", 0), "wrong") == "t.yaml:2: a[0]: wrong"
    assert source.problem((), "wrong") == "t.yaml:1: wrong"


def test_problem_with_what_is_missing_names_the_line_above() -> None:
    source = YamlSource.parse("x: 1\na:\n  - b: 1\n", "t.yaml")
    assert source.problem(("a", 0, "d"), "missing") == "t.yaml:3: a[0].d: missing"
    assert source.problem(("z",), "missing") == "t.yaml:1: z: missing"


def test_made_up_parts_of_a_place_are_left_out() -> None:
    source = YamlSource.parse("a:\n  b:\n    c: 1\n", "t.yaml")
    assert source.problem(("a", "header", "b", "c"), "wrong") == "t.yaml:3: a.b.c: wrong"


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_is_never_repeated(secret: str) -> None:
    source = YamlSource.parse(f"a: 1\n{secret}: 2\n", "t.yaml")
    assert source.problem((secret,), f"no connector type `github key:{secret}`") == (
        "t.yaml:2: …: no connector type `github key:…`"
    )
    assert problem_of(f"{secret}: 1\n{secret}: 2") == "t.yaml:2: …: given twice"
    for text in (
        f"a: *{secret}",
        f"a: !{secret} x",
        f"a: @{secret}",
        f"a: %{secret}",
        f"a: [{secret}",
    ):
        assert secret not in problem_of(text)


@pytest.mark.parametrize(
    "words",
    [
        "github.enterprise_copilot_metrics.get_28_day",
        "https://github.example.com/api/v3",
        "permissions[12].resource.repo",
        "a-connector-called-something-long",
        "input should be 'allow', 'require_approval' or 'deny'",
    ],
)
def test_ordinary_words_are_repeated(words: str) -> None:
    assert YamlSource.parse("a: 1", "t.yaml").problem((), words) == f"t.yaml:1: {words}"


@given(st.text(st.sampled_from("ab:- \n{}[]'\"#&*!|>%@,?~\t0")), st.text(max_size=20))
def test_any_text_is_read_or_refused(structure: str, text: str) -> None:
    for document in (structure, text, f"a: {text}"):
        problems: tuple[str, ...] = ()
        try:
            YamlSource.parse(document, "t.yaml")
        except ConfigError as error:
            problems = error.problems
        assert all(problem.startswith("t.yaml:") for problem in problems)


def test_number_is_a_key_only_where_the_reader_says_so() -> None:
    text = "responses:\n  200: found"
    source = YamlSource.parse(text, "t.yaml", numbers_as_keys=True)
    assert source.data == {"responses": {200: "found"}}
    with pytest.raises(ConfigError, match="a key that is no text to YAML"):
        YamlSource.parse(text, "t.yaml")
    with pytest.raises(ConfigError, match="given twice"):
        YamlSource.parse(f"{text}\n  '200': x", "t.yaml", numbers_as_keys=True)
