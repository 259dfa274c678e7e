"""YAML with places: what a document says, and on which line it says it."""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from tameflare_core.errors import ConfigError

__all__ = ["Place", "YamlSource"]

type Place = tuple[str | int, ...]
"""Keys and indexes from the top of a document down to a value."""


@dataclass(slots=True)
class YamlSource:
    """A parsed document.

    Attributes:
        name: the file's name as the user gave it, for messages.
        data: what it says, in plain Python values.
    """

    name: str
    data: object
    _lines: dict[Place, int] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str, name: str) -> YamlSource:
        """Parse one YAML document.

        Raises:
            ConfigError: it is not YAML, or a mapping has a key twice.
        """
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            source = cls(name, None)
            if node is not None:
                source._note((), node)
                source.data = loader.construct_document(node)
            return source
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = getattr(error, "problem", None) or "cannot be read"
            raise ConfigError(f"{name}:{line}: not valid YAML: {problem}") from None
        finally:
            loader.dispose()

    def problem(self, place: Place, message: str) -> str:
        """`file:line: key: message` for the value at `place`, or for what is nearest above it."""
        known: Place = ()
        for part in place:
            # Parts that are not in the document are names that the reader of it made up.
            if (*known, part) in self._lines:
                known = (*known, part)
        line = self._lines.get(known, 1)
        key = _dotted(place if place[: len(known)] == known else known)
        return f"{self.name}:{line}: {key}: {message}" if key else f"{self.name}:{line}: {message}"

    def _note(self, place: Place, node: yaml.Node) -> None:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._note((*place, index), item)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                below = (*place, str(key.value))
                if below in self._lines:
                    message = (
                        f"{self.name}:{key.start_mark.line + 1}: {_dotted(below)}: given twice"
                    )
                    raise ConfigError(message)
                self._lines[below] = key.start_mark.line + 1
                self._note(below, value)


def _dotted(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
