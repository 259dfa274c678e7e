"""The exit codes of `tf`, and the exception that ends a command with one of them.

`tf run` exits with the code of the program that it ran; everything else uses these.
"""

from __future__ import annotations

import enum

__all__ = ["CommandFailed", "ExitCode"]


class ExitCode(enum.IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    BAD_CONFIG = 5
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    INTERRUPTED = 130


class CommandFailed(Exception):
    """A command cannot do what it was asked.

    Attributes:
        code: what `tf` exits with.
        message: what is wrong.
        advice: what to do next; empty when the message says it.
    """

    def __init__(self, code: ExitCode, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice
