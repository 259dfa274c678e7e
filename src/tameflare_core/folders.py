"""Where TameFlare keeps what is the user's own, by the conventions of the operating system."""

from __future__ import annotations

from pathlib import Path

from platformdirs import PlatformDirs

__all__ = ["data_folder", "state_folder"]

_FOLDERS = PlatformDirs("tameflare", appauthor=False)


def data_folder() -> Path:
    """What must not be lost: keys and databases (`$XDG_DATA_HOME/tameflare` on Linux).

    It is made, for its owner alone, when it is not there.

    Raises:
        OSError: it cannot be made.
    """
    return _made(_FOLDERS.user_data_path)


def state_folder() -> Path:
    """What can be made anew: caches, spools and logs (`$XDG_STATE_HOME/tameflare` on Linux).

    It is made, for its owner alone, when it is not there.

    Raises:
        OSError: it cannot be made.
    """
    return _made(_FOLDERS.user_state_path)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
