"""Processes that all take the same step at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

DEADLINE = 30


def run_at_once(imports: str, step: str, arguments: Sequence[Sequence[object]]) -> list[str]:
    """What each process printed, one for each of `arguments`.

    Args:
        imports: what a process does before it is ready.
        step: what it does, with `arguments` in `sys.argv[1:]`, once all are ready.
        arguments: of each process.
    """
    script = f"import sys; {imports}; print('ready', flush=True); sys.stdin.read(); {step}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, *map(str, own)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for own in arguments
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None  # or communicate() would flush it
        outputs = [process.communicate(timeout=DEADLINE)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * len(processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return outputs
