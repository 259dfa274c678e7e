"""`tf logs`: what the gateways of this user let through and what they refused."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tameflare_cli.options import JsonOption
from tameflare_cli.rendering import notice, one_line, print_line, print_row

app = typer.Typer(add_completion=False)

_POLL_SECONDS = 0.1
_WIDTHS = (19, 9, 3, 12)


@app.command()
def logs(
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with what comes, until interrupted.")
    ] = False,
    as_json: JsonOption = False,
    number: Annotated[
        int, typer.Option("-n", min=0, help="How many of the last records to begin with.")
    ] = 20,
) -> None:
    """Show the traffic log: one line for each judged request.

    For example:

      tf logs -f

      tf logs --json -n 1000 | jq 'select(.decision == "deny")'
    """
    from tameflare_cli.hosting import TRAFFIC_LOG
    from tameflare_core.folders import state_folder

    log = _Log(state_folder() / TRAFFIC_LOG)
    for line in log.last(number):
        _show(line, as_json=as_json)
    if follow:
        for line in log.next():
            _show(line, as_json=as_json)
    elif not log.exists:
        notice("no traffic yet: `tf run` and `tf gateway` record it")


class _Log:
    """The lines of a log, wherever rotation has put them.

    Args:
        path: the file that is written to; the one before it is called `<name>.1`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = path.with_name(path.name + ".1")
        self._place: tuple[int, int] | None = None

    @property
    def exists(self) -> bool:
        return self._path.exists() or self._before.exists()

    def last(self, number: int) -> Iterator[bytes]:
        """The last complete lines; `next` goes on behind them."""
        kept: deque[bytes] = deque(maxlen=number)
        for path in (self._before, self._path):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            with file:
                end = 0
                for line in file:
                    if line.endswith(b"\n"):
                        end += len(line)
                        kept.append(line)
                self._place = os.fstat(file.fileno()).st_ino, end
        yield from kept

    def next(self) -> Iterator[bytes]:
        """Every further line, for ever."""
        while True:
            for path in (self._before, self._path):
                yield from self._read_on(path)
            time.sleep(_POLL_SECONDS)

    def _read_on(self, path: Path) -> Iterator[bytes]:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            inode = os.fstat(file.fileno()).st_ino
            if self._place is not None and self._place[0] == inode:
                position = self._place[1]
            elif path == self._before:
                return  # the file before the one that we are reading
            else:
                position = 0
            file.seek(position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                position += len(line)
                self._place = inode, position
                yield line


def _show(line: bytes, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        return
    try:
        record = json.loads(line)
        cells = _cells(record)
    except (ValueError, KeyError, TypeError, AttributeError):
        print_line(f"unreadable record: {one_line(line.decode('utf-8', 'replace').rstrip())}")
        return
    print_row(cells, (*_WIDTHS, 0))
    sys.stdout.flush()


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    when = datetime.fromisoformat(record["time"]).astimezone()
    host = f"{record['method']} {record['host']}{record['path']}" if record["host"] else "-"
    names = ",".join(action["name"] for action in record["actions"])
    why = record["error"] or record["reason"] or ""
    return (
        when.strftime("%Y-%m-%d %H:%M:%S"),
        str(record["outcome"]),
        str(record["status"] or "-"),
        str(record["gateway"]),
        f"{host}  {names}  {why}".rstrip(),
    )
