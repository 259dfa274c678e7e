"""The entry point of `tf`, and the end of every error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tameflare_cli.exit_codes import CommandFailed, ExitCode

__all__ = ["main"]

_ISSUES = "https://github.com/tameflare/tameflare/issues"


def main() -> NoReturn:
    """Run `tf` with the arguments of the process, and exit; nobody ever sees a traceback."""
    try:
        sys.exit(_status(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # every error ends here
        if os.environ.get("TF_DEBUG") == "1":
            raise
        code, lines = _ending(error)
        for line in lines:
            print(line, file=sys.stderr)  # noqa: T201  # no console can be trusted any more
        sys.exit(code)


def _status(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["run"]:
        # It is on the way to every agent, and typer takes longer to import than all of it.
        from tameflare_cli.running import main as run

        return run(arguments[1:])
    import typer.main

    from tameflare_cli.command_group import app

    typer.main.get_command(app).main(args=list(arguments), prog_name="tf")
    return ExitCode.OK


def _ending(error: Exception) -> tuple[ExitCode, list[str]]:
    if isinstance(error, CommandFailed):
        return error.code, _lines([error.message], error.advice)
    # Imported now: a command that succeeds may do so without the core.
    from tameflare_cli.rendering import one_line
    from tameflare_core import errors

    match error:
        case errors.ConfigError():
            problems = [one_line(problem) for problem in error.problems]
            return ExitCode.BAD_CONFIG, _lines(problems, "correct the file and try again")
        case errors.CredentialError() | errors.PluginError():
            return ExitCode.BAD_CONFIG, _lines([one_line(str(error))], "")
        case errors.UpstreamError():
            return ExitCode.UNREACHABLE, _lines([one_line(str(error))], "")
        case errors.TameflareError():
            return ExitCode.REFUSED, _lines([one_line(str(error))], "")
    what = one_line(f"{type(error).__name__}: {error}")
    advice = f"TF_DEBUG=1 shows where; please report it at {_ISSUES}"
    return ExitCode.FAILED, _lines([f"unexpected error: {what}"], advice)


def _lines(problems: list[str], advice: str) -> list[str]:
    return [f"tf: {problem}" for problem in problems] + ([f"    {advice}"] if advice else [])
