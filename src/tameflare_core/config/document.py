"""`tameflare.yaml`: one gateway as a file, read strictly; every error names file, line and key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

from pydantic import PrivateAttr, ValidationError

from tameflare_core.config.binding import Binding
from tameflare_core.config.parts import GatewayPart
from tameflare_core.errors import ConfigError
from tameflare_core.gateway import Gateway
from tameflare_core.plugins import Plugins, load_plugins
from tameflare_core.yaml_source import YamlSource

__all__ = ["GatewayConfig", "worded"]


class GatewayConfig(GatewayPart):
    """One gateway as a document.

    Read it with `from_file` or `from_text`, then `bind` it to the installed plugins. The keys are
    those of `tameflare.yaml`; see `docs/reference/configuration.md`.
    """

    _source: YamlSource = PrivateAttr()
    _folder: Path = PrivateAttr()
    _revision: str = PrivateAttr()

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a configuration file.

        Raises:
            ConfigError: it cannot be read, or something in it is wrong; all problems are listed.
        """
        path = Path(path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError(f"{path}: cannot be read: {why}") from None
        return cls.from_text(text, name=str(path), folder=path.resolve().parent)

    @classmethod
    def from_text(cls, text: str, *, name: str = "tameflare.yaml", folder: Path) -> Self:
        """Read a configuration from its text.

        Args:
            text: the YAML document.
            name: what to call it in messages.
            folder: where relative file names in it start.

        Raises:
            ConfigError: something in it is wrong; all problems are listed.
        """
        source = YamlSource.parse(text, name)
        if not isinstance(source.data, dict):
            raise ConfigError(f"{name}:1: not a gateway configuration: it starts with `version: 1`")
        try:
            config = cls.model_validate(source.data)
        except ValidationError as error:
            raise ConfigError(
                *(
                    source.problem(item["loc"], worded(item["type"], item["msg"]))
                    for item in error.errors()
                )
            ) from None
        config._source = source
        config._folder = folder
        config._revision = hashlib.sha256(text.encode()).hexdigest()[:16]
        return config

    def bind(self, plugins: Plugins | None = None, *, elsewhere: bool = False) -> Gateway:
        """Build the connectors and check that everything refers to something that is there.

        Args:
            plugins: connector types and credential sources; by default the built-in and installed
                ones.
            elsewhere: whether the gateway is on another machine, so that files which it names
                cannot be looked for.

        Raises:
            ConfigError: something in it is wrong; all problems are listed.
        """
        return Binding(
            self,
            self._source,
            folder=self._folder,
            revision=self._revision,
            plugins=plugins or load_plugins(),
            elsewhere=elsewhere,
        ).gateway()


_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "missing",
    "model_type": "input should be a mapping",
    "dict_type": "input should be a mapping",
    "tuple_type": "input should be a list",
}


def worded(kind: str, message: str) -> str:
    """What is wrong with a value, in the words of messages to users.

    Args:
        kind: pydantic's name for the mistake.
        message: what pydantic says.
    """
    if kind == "union_tag_invalid":
        # Its own words repeat what stands there; they end with what may.
        return f"`type` is none of {message.rpartition(': ')[2]}"
    return _WORDS.get(kind, message[:1].lower() + message[1:])
