"""What commands share: which configuration they are about, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tameflare_cli.exit_codes import CommandFailed, ExitCode

if TYPE_CHECKING:
    from tameflare_core.gateway import Gateway

__all__ = ["CONFIG_NAME", "find_config", "load_gateway"]

CONFIG_NAME = "tameflare.yaml"
"""The configuration that is used when none is named."""


def find_config(given: Path | None) -> Path:
    """The configuration file that a command is about.

    Raises:
        CommandFailed: none was named and there is none here.
    """
    if given is not None:
        return given
    path = Path(CONFIG_NAME)
    if not path.is_file():
        raise CommandFailed(
            ExitCode.USAGE,
            f"no gateway: there is no {CONFIG_NAME} in this folder",
            "name one with `--config FILE`, or write one with `tf init`",
        )
    return path


def load_gateway(config: Path | None) -> Gateway:
    """The gateway that `config` describes, or the configuration in this folder.

    Raises:
        CommandFailed: there is no configuration.
        ConfigError: it is wrong.
    """
    from tameflare_core.config.document import GatewayConfig

    return GatewayConfig.from_file(find_config(config)).bind()
