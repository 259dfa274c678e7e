"""The examples in the documents: what they say to type, and what they say comes out.

A block that opens with ```` ```console ```` is run: `$ ` starts a command, `> ` goes on with it,
and every other line is what it prints, in which `…` stands for any text and a line that is `…`
alone for any lines. A block of another language with `title="NAME"` is the content of that file.
One document is one shell in one empty folder, so that its blocks follow on from each other.

A console block that cannot be run has a comment `<!-- not run: REASON -->` on the line above it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.packaging.repository import ROOT

_FENCE = re.compile(r"( *)```(\w*)(?: title=\"([^\"]+)\")?\s*")
_NOT_RUN = re.compile(r"\s*<!-- not run: (.*?) ?-->\s*")
_DEADLINE = 300.0
"""Seconds for all commands of one document."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: what stands behind the opening fence.
        title: the file that it is the content of; empty when it is none.
        line: where it opens.
        text: what is in it.
        not_run: why it is not run; None when nothing says so.
    """

    language: str
    title: str
    line: int
    text: str
    not_run: str | None


@dataclass
class Command:
    """A command and what it is said to print."""

    line: int
    text: str
    printed: list[str] = field(default_factory=list)


def documents() -> list[Path]:
    """Every document that examples are taken from."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    lines = document.read_text("utf-8").splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.fullmatch(lines[number])
        number += 1
        if opening is None:
            continue
        indent, language, title = opening.groups()
        first = number
        while lines[number].strip() != "```":
            number += 1
        comment = _NOT_RUN.fullmatch(lines[first - 2]) if first > 1 else None
        yield Block(
            language=language,
            title=title or "",
            line=first,
            text="".join(f"{line.removeprefix(indent)}\n" for line in lines[first:number]),
            not_run=comment[1] if comment else None,
        )
        number += 1


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block.

    Raises:
        ValueError: it starts with something else than a command.
    """
    command: Command | None = None
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            if command is not None:
                yield command
            command = Command(number, line[2:])
        elif command is None:
            raise ValueError(f"line {number}: a console block starts with `$ `")
        elif line.startswith("> ") and not command.printed:
            command.text += f"\n{line[2:]}"
        else:
            command.printed.append(line)
    if command is not None:
        yield command


def play(document: Path, folder: Path) -> None:
    """Do what a document says, in `folder`.

    Raises:
        AssertionError: a command failed, or printed something else than the document says.
    """
    steps: list[Command] = []
    script: list[str] = []
    for block in blocks(document):
        if block.title:
            script.append(f"cat > '{block.title}' <<'{_MARK}'\n{block.text}{_MARK}")
        elif block.language == "console" and block.not_run is None:
            for command in commands(block):
                steps.append(command)
                script.append(f"{command.text}\nprintf '\\n{_MARK} %d\\n' $?")
    if not steps:
        return
    ends = _run("\n".join(script), folder).split(f"\n{_MARK} ")
    said, statuses = [ends[0]], []
    for end in ends[1:]:
        status, _, rest = end.partition("\n")
        statuses.append(int(status))
        said.append(rest)
    for index, step in enumerate(steps):
        where = f"{document.relative_to(ROOT)}:{step.line}: `{step.text}`"
        assert index < len(statuses), f"{where} did not come to its end:\n{said[index]}"
        assert statuses[index] == 0, f"{where} ended with {statuses[index]}:\n{said[index]}"
        assert not step.printed or _pattern(step.printed).fullmatch(said[index].strip("\n")), (
            f"{where} printed something else than the document says:\n{said[index]}"
        )


_MARK = "end-of-this-command"


def _run(script: str, folder: Path) -> str:
    env = {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        # `uv run` is meant for a reader who stands in a checkout.
        "UV_PROJECT": str(ROOT),
        "UV_NO_SYNC": "1",
    }
    output = folder / ".output"
    with output.open("wb") as sink:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(_DEADLINE)
        finally:
            # What a document left running in the background ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return output.read_text("utf-8", errors="replace")


def _pattern(printed: list[str]) -> re.Pattern[str]:
    lines = []
    for line in printed:
        parts = [re.escape(part) for part in line.rstrip().split("…")]
        lines.append(r"[\s\S]*" if parts == ["", ""] else r"[^\n]*".join(parts))
    return re.compile("\n".join(lines))
