"""Which gateway of a control plane the programs of a folder run behind: `.tf/config.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tameflare_cli.exit_codes import CommandFailed, ExitCode

__all__ = ["PROJECT_FILE", "Project"]

PROJECT_FILE = Path(".tf", "config.yaml")
"""Beside the vault of the folder, and as much its user's own."""

_TOKENS = Path(".tf", "tokens")
_KEYS = ("gateway", "control_plane", "proxy", "ca")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What `tf init --gateway` chose.

    Attributes:
        gateway: the gateway's name.
        control_plane: the URL of its control plane.
        proxy: the URL of a proxy that follows it.
        ca: the certificate of that proxy's authority.
    """

    gateway: str
    control_plane: str
    proxy: str
    ca: str

    @classmethod
    def load(cls) -> Project | None:
        """What was chosen in this folder; None when nothing was.

        Raises:
            CommandFailed: the file says something else.
        """
        import yaml

        try:
            values = yaml.safe_load(PROJECT_FILE.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            values = None
        if not isinstance(values, dict) or sorted(values) != sorted(_KEYS):
            raise CommandFailed(
                ExitCode.BAD_CONFIG,
                f"{PROJECT_FILE}: it has {', '.join(_KEYS)} and nothing else",
                "write it anew with `tf init --gateway NAME`",
            )
        return cls(**{key: str(value) for key, value in values.items()})

    def save(self, token: str) -> None:
        """Write it, and the token where only this user can read it.

        Raises:
            OSError: it cannot be written.
        """
        import yaml

        from tameflare_core.private_files import replace

        _TOKENS.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(_TOKENS / self.gateway, token.encode() + b"\n")
        values = {key: getattr(self, key) for key in _KEYS}
        replace(PROJECT_FILE, yaml.safe_dump(values, sort_keys=False).encode())

    @staticmethod
    def token(gateway: str) -> str:
        """The token of a gateway that was chosen here.

        Raises:
            CommandFailed: there is none that only this user can read.
        """
        from tameflare_core.private_files import read_private

        try:
            return read_private(_TOKENS / gateway).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise CommandFailed(
                ExitCode.BAD_CONFIG,
                f"no token of the gateway `{gateway}` in this folder: {why}",
                f"get one with `tf init --gateway {gateway}`",
            ) from None
