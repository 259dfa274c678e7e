"""What gateway processes of this user say about themselves, one file each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tameflare_core.private_files import read_private, replace

__all__ = ["forget_status", "read_statuses", "write_status"]


def write_status(folder: Path, instance: str, document: dict[str, Any]) -> None:
    """Say how this process stands.

    Args:
        folder: where the files are; made, for this user alone, with the first one.
        instance: the id of the process.
        document: what it says, without secrets; its process id is added.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {"instance": instance, "pid": os.getpid(), **document}
    replace(folder / f"{instance}.json", json.dumps(content).encode())


def forget_status(folder: Path, instance: str) -> None:
    """The process ends."""
    (folder / f"{instance}.json").unlink(missing_ok=True)


def read_statuses(folder: Path) -> list[dict[str, Any]]:
    """What the processes that live say; what dead ones left is removed."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(read_private(path))
            pid = int(document["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if _lives(pid):
            found.append(document)
        else:
            path.unlink(missing_ok=True)
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's: it lives
    return True
