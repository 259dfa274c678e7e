"""The child of `tf run`, on a terminal and off it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.harness import TF, Open, Run

PYTHON = sys.executable


def test_exit_status_is_the_childs(tf: Run, elsewhere: tuple[str, ...]) -> None:
    assert tf("run", *elsewhere, "--", "sh", "-c", "exit 7").returncode == 7


def test_death_by_signal_is_128_and_its_number(tf: Run, elsewhere: tuple[str, ...]) -> None:
    assert tf("run", *elsewhere, "--", "sh", "-c", "kill -KILL $$").returncode == 137


def test_absent_program_exits_127(tf: Run, elsewhere: tuple[str, ...]) -> None:
    done = tf("run", *elsewhere, "--", "no-such-program")
    assert done.returncode == 127
    assert "`no-such-program` is not found" in done.stderr


@pytest.mark.parametrize("content", ["#!/bin/sh\n", "#!/no/such/interpreter\n"])
def test_unexecutable_program_exits_126(
    tf: Run, elsewhere: tuple[str, ...], folder: Path, content: str
) -> None:
    program = folder / "program"
    program.write_text(content)
    program.chmod(0o755 if "no/such" in content else 0o644)
    done = tf("run", *elsewhere, "--", "./program")
    assert done.returncode == 126
    assert "`./program` cannot be executed" in done.stderr


def test_options_of_the_command_stay_its_own(tf: Run, elsewhere: tuple[str, ...]) -> None:
    assert tf("run", *elsewhere, "echo", "--quiet", "--config").stdout == "--quiet --config\n"


def test_only_standard_descriptors_are_inherited(
    environment: dict[str, str], folder: Path, elsewhere: tuple[str, ...]
) -> None:
    listing = "import os; print([n for n in os.listdir('/dev/fd') if int(n) > 2])"
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        done = subprocess.run(
            [*TF, "run", *elsewhere, "--", PYTHON, "-c", listing],
            capture_output=True,
            cwd=folder,
            env=environment,
            close_fds=False,
            timeout=30,
        )
    finally:
        os.close(reading)
        os.close(writing)
    # The listing itself is the one descriptor that is open.
    assert done.stdout == b"['3']\n", done.stderr


def test_child_finds_default_signal_handling(tf: Run, elsewhere: tuple[str, ...]) -> None:
    done = tf("run", *elsewhere, "--", "grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    # The C library keeps signals 32 and 33 for itself.
    own = 1 << 31 | 1 << 32
    masks = {name: int(mask, 16) & ~own for name, mask in map(str.split, done.stdout.splitlines())}
    assert masks == {"SigBlk:": 0, "SigIgn:": 0}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signals_are_passed_on_to_the_child(
    environment: dict[str, str], folder: Path, elsewhere: tuple[str, ...], number: signal.Signals
) -> None:
    script = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(40))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(10)"
    )
    with subprocess.Popen(
        [*TF, "run", *elsewhere, "--", PYTHON, "-c", script],
        stdout=subprocess.PIPE,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(number)
        assert running.wait(30) == 40


def test_signal_ignored_by_nohup_stays_ignored(
    environment: dict[str, str], folder: Path, elsewhere: tuple[str, ...]
) -> None:
    with subprocess.Popen(
        ["nohup", *TF, "run", *elsewhere, "--", "sh", "-c", "echo ready; read line; exit 3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGHUP)
        running.communicate(b"\n", timeout=30)
        assert running.returncode == 3


def test_interactive_python_works(screen: Open, elsewhere: tuple[str, ...]) -> None:
    shown = screen(*TF, "run", *elsewhere, "--", PYTHON, "-q", env={"PYTHON_BASIC_REPL": "1"})
    shown.wait_for(">>> ")
    shown.type("print(6 * 7)\n")
    shown.wait_for("\n42\n")
    shown.wait_for(">>> ")
    # A call that sleeps may start behind the signal and miss it, in a bare Python as well.
    shown.type("exec('print(\\'busy\\')\\nwhile True: pass')\n")
    shown.wait_for("\nbusy\n")
    shown.type("\x03")
    shown.wait_for("KeyboardInterrupt")
    shown.wait_for(">>> ")
    shown.type("import sys; sys.exit(7)\n")
    assert shown.exit_status() == 7


def test_terminal_modes_are_restored(screen: Open, elsewhere: tuple[str, ...]) -> None:
    script = "import tty; tty.setraw(0); print('raw'); input()"
    run = f'{" ".join(TF)} run {" ".join(elsewhere)} -- {PYTHON} -c "{script}"'
    shell = screen("/bin/sh", "-c", f"{run}; echo ended; read line")
    before = shell.modes
    shell.wait_for("raw")
    assert shell.modes != before
    shell.type("\n")
    shell.wait_for("ended")
    assert shell.modes == before


def test_stopped_child_stops_us_and_fg_resumes_both(
    screen: Open, elsewhere: tuple[str, ...]
) -> None:
    shell = screen("/bin/bash", "--norc", "--noediting", "-i", env={"PS1": "shell> "})
    shell.wait_for("shell> ")
    shell.type(f"{' '.join(TF)} run {' '.join(elsewhere)} -- {PYTHON} -q\n")
    shell.wait_for(">>> ")
    shell.type("kept = 'alive'\n")
    shell.wait_for(">>> ")
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.wait_for("shell> ")
    shell.type("jobs; fg\n")
    shell.wait_for("tameflare_cli")
    shell.type("print('still', kept)\n")
    shell.wait_for("still alive")
    shell.wait_for(">>> ")
    shell.type("import sys; sys.exit(9)\n")
    shell.wait_for("shell> ")
    shell.type("echo status $?\n")
    shell.wait_for("status 9")


def test_background_job_reads_after_fg(screen: Open, elsewhere: tuple[str, ...]) -> None:
    shell = screen("/bin/bash", "--norc", "--noediting", "-i", env={"PS1": "shell> "})
    shell.wait_for("shell> ")
    shell.type(
        f"{' '.join(TF)} run {' '.join(elsewhere)} -- {PYTHON} -c 'print(input()[::-1])' &\n"
    )
    shell.wait_for("shell> ")
    shell.type("wait -n; jobs\n")
    shell.wait_for("Stopped")
    shell.wait_for("shell> ")
    shell.type("fg\n")
    shell.wait_for("tameflare_cli")
    shell.type("abc\n")
    shell.wait_for("cba")
    shell.wait_for("shell> ")


def test_pipeline_keeps_its_process_group(screen: Open, elsewhere: tuple[str, ...]) -> None:
    """A pager behind us reads the terminal, so nobody may take it away from its group."""
    shell = screen("/bin/bash", "--norc", "--noediting", "-i", env={"PS1": "shell> "})
    shell.wait_for("shell> ")
    pager = "import sys; sys.stdin.read(); print('typed', open('/dev/tty').readline())"
    shell.type(f'{" ".join(TF)} run {" ".join(elsewhere)} -- echo x | {PYTHON} -c "{pager}"\n')
    shell.wait_for("typed', open")
    shell.type("words\n")
    shell.wait_for("typed words")


def test_modes_of_a_stopped_child_come_back_with_it(
    screen: Open, elsewhere: tuple[str, ...]
) -> None:
    script = (
        "import tty, os, signal, termios; tty.setcbreak(0); print('set', flush=True);"
        "os.kill(0, signal.SIGTSTP);"
        "print('echo', bool(termios.tcgetattr(0)[3] & termios.ECHO), flush=True)"
    )
    shell = screen("/bin/bash", "--norc", "--noediting", "-i", env={"PS1": "shell> "})
    shell.wait_for("shell> ")
    shell.type(f'{" ".join(TF)} run {" ".join(elsewhere)} -- {PYTHON} -c "{script}"\n')
    shell.wait_for("\nset")
    shell.wait_for("shell> ")
    flags = shell.modes[3]
    assert isinstance(flags, int)
    shell.type("fg\n")
    shell.wait_for("\necho False")
    assert flags & termios.ECHO
