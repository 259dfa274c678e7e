"""The log of a control-plane process: one JSON object a line, or words on a terminal."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import suppress
from typing import TextIO, cast, override

import structlog

__all__ = ["configure_logs"]


class _Lossy(io.TextIOBase):
    """A file whose disk may be full: a line is lost then, and nothing else."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @override
    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._file.write(text)
        return len(text)

    @override
    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()


def configure_logs(level: int = logging.INFO) -> None:
    """Write what happens to standard error from now on.

    Args:
        level: from which level on, of `logging`.
    """
    words = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if words else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lossy(sys.stderr))),
        cache_logger_on_first_use=False,
    )
