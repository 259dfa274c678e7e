from __future__ import annotations

from tameflare_cli.exit_codes import CommandFailed, ExitCode


def test_codes_are_the_documented_ones() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "REFUSED": 4,
        "BAD_CONFIG": 5,
        "NOT_EXECUTABLE": 126,
        "NOT_FOUND": 127,
        "INTERRUPTED": 130,
    }


def test_failure_carries_its_advice() -> None:
    failure = CommandFailed(ExitCode.USAGE, "no gateway", "name one")
    assert (failure.code, str(failure), failure.advice) == (2, "no gateway", "name one")
