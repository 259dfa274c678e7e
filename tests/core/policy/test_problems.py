"""Problems keep the place of the part that was being read."""

from __future__ import annotations

from tameflare_core.policy.problems import ConditionErrors, Problem, Report


def test_report_notes_where_it_stands():
    problems: list[Problem] = []
    report = Report(problems)
    report.below("all", 0).below("op").add("wrong")
    report.add("wrong as a whole")
    assert problems == [(("all", 0, "op"), "wrong"), ((), "wrong as a whole")]


def test_errors_tell_every_message():
    error = ConditionErrors([(("op",), "missing"), ((), "unknown key")])
    assert error.problems == ((("op",), "missing"), ((), "unknown key"))
    assert str(error) == "missing; unknown key"
