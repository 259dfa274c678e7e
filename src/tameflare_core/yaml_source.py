"""YAML with places: what a document says, and on which line it says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tameflare_core.errors import ConfigError

__all__ = ["Place", "YamlSource", "yaml_lines"]

# What may be a secret that was pasted in the wrong place: a long run of letters and digits, or what
# follows the prefix of a well-known kind of key.
_MAY_BE_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[a-z]_|github_pat_|glpat-|sk-|[rs]k_|xox[a-z]-|AKIA|gwtk_|tfpat_)"
    r"[A-Za-z0-9_+=-]+"
    r"|(?=[A-Za-z_+=-]*[0-9])(?=[0-9_+=-]*[A-Za-z])[A-Za-z0-9_+=-]{20,}"
)

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
    def parse(cls, text: str, name: str, *, numbers_as_keys: bool = False) -> YamlSource:
        """Parse one YAML document.

        Args:
            text: the document.
            name: what to call it in messages.
            numbers_as_keys: whether a key may be a number, as in the `responses` of OpenAPI.

        Raises:
            ConfigError: it is not YAML, a mapping has a key twice or one that is no text, or it
                uses aliases, merge keys or tags, which let a document say something else than it
                seems to.
        """
        try:
            loader = _Loader(text)
            try:
                node = loader.get_single_node()
                source = cls(name, None)
                if node is not None:
                    source._note((), node, {_TEXT, _NUMBER} if numbers_as_keys else {_TEXT})
                    source.data = loader.construct_document(node)
                return source
            finally:
                loader.dispose()
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            why = f"the character U+{error.character:04X} is not allowed"
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            why = error.problem or "cannot be read"
        except RecursionError:
            line, why = 1, "it nests too deeply"
        raise ConfigError(f"{name}:{line}: not valid YAML: {_redacted(why)}")

    def problem(self, place: Place, message: str) -> str:
        """`file:line: key: message` for the value at `place`, or for what is nearest above it.

        What may be a secret is left out of key and message.
        """
        known: Place = ()
        missing: Place = ()
        for part in place:
            # Parts that are not in the document are names that the reader of it made up, but for
            # the last, which it misses.
            below = (*known, part)
            known, missing = (below, ()) if below in self._lines else (known, (part,))
        line = self._lines.get(known, 1)
        key = _dotted((*known, *missing))
        what = _redacted(f"{key}: {message}" if key else message)
        return f"{self.name}:{line}: {what}"

    def line(self, place: Place) -> int:
        """The line of the value at `place`, from 1; of the document's first if there is none."""
        return self._lines.get(place, 1)

    def _note(self, place: Place, node: yaml.Node, keys: set[str]) -> None:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._note((*place, index), item, keys)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.tag not in keys:
                    # `on`, `yes`, `1`, `~` and `<<` are something else.
                    raise _wrong("a key that is no text to YAML: put it in quotes", key)
                below = (*place, key.value)
                if below in self._lines:
                    message = (
                        f"{self.name}:{key.start_mark.line + 1}:"
                        f" {_redacted(_dotted(below))}: given twice"
                    )
                    raise ConfigError(message)
                self._lines[below] = key.start_mark.line + 1
                self._note(below, value, keys)


def yaml_lines(document: Mapping[str, object]) -> list[str]:
    """A document of plain values as the lines of YAML, in ASCII and in its own order."""
    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=False)
    return text.rstrip("\n").split("\n")


_TEXT = "tag:yaml.org,2002:str"
_NUMBER = "tag:yaml.org,2002:int"


class _Loader(yaml.SafeLoader):
    """Plain data only: every value stands where it is written, and once."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # its stubs say nothing
        if isinstance(event, yaml.AliasEvent):
            # An alias can stand for itself, and ten of them for a billion values.
            raise _wrong("aliases are not supported", event)
        if getattr(event, "tag", None) is not None:
            raise _wrong("tags are not supported", event)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep)
        except ValueError:
            # 2024-99-99 looks like a date to YAML.
            raise _wrong("what looks like a date is none: put it in quotes", node) from None


def _wrong(problem: str, at: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    mark: Any = at.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _redacted(message: str) -> str:
    return _MAY_BE_SECRET.sub("…", message)


def _dotted(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
