"""An OpenAPI document as a catalogue: each operation is a row, under a name of its own.

Only what names operations is read: `servers`, `paths`, and of each operation its tags, its id and
`x-tameflare`. Nothing is fetched. Where a row would cover less than the operation does, or two
operations would share one, the document is refused: a rule about it would be a hole.

Sources: OpenAPI Specification 3.0 and 3.1 (section 4.8), Swagger 2.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tameflare_core.action import Access, Category, Risk, action_name
from tameflare_core.errors import ConfigError
from tameflare_core.parsers.route_table import Route, path_template
from tameflare_core.yaml_source import YamlSource

__all__ = ["MAX_JSON", "MAX_YAML", "Defaults", "read_openapi"]

MAX_JSON = 16 * 1024 * 1024
"""Bytes of a document in JSON."""

MAX_YAML = 1024 * 1024
"""Bytes of a document in YAML, which takes a hundred times as long to read."""

type Defaults = Mapping[str, tuple[Access, Risk, frozenset[Category]]]
"""What an operation is, by its method, unless `x-tameflare` says otherwise."""

_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_VERSION = re.compile(r"3\.[01](\..+)?")
_EXTENSION = "x-tameflare"

# Segments that say nothing about what a path is about.
_VERSION_SEGMENT = re.compile(r"api|v[0-9]+([._-][0-9]+)*", re.IGNORECASE)
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_SERVER = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]+(/.*)?|(/.*)")
# `listContacts`, `HTTPStatus`, `get_v2-item`: runs of letters, each with the digits behind it.
_WORD = re.compile(r"[A-Z]?[a-z]+[0-9]*|[A-Z]+(?![a-z])[0-9]*|[0-9]+")
# These say that nobody knows what a request does, and wildcards pass them by.
_GUARDED = frozenset({"unmapped", "opaque"})


def read_openapi(path: Path, *, provider: str, prefix: str, defaults: Defaults) -> list[Route]:
    """Read the operations of a document.

    Args:
        path: the file; JSON when it ends in `.json`, else YAML.
        provider: the first segment of the names that are made up here.
        prefix: the path below which the rows are to start, without a slash at its end; empty for
            the root of the host.
        defaults: by upper-case method.

    Raises:
        ValueError: it cannot be read, or an operation can have no row of its own. The message names
            the file and the JSON pointer.
    """
    root = _Part(path.name, "#", _load(path))
    rows = _Rows(root, provider, prefix, defaults)
    paths = root.get("paths")
    if paths is None:
        raise root.wrong("there are no `paths`")
    for template, item in paths.members():
        if not template.startswith("x-"):
            rows.add_path(template, item)
    if not rows.found:
        raise paths.wrong("it names no operation")
    return list(rows.found.values())


def _load(path: Path) -> object:
    in_json = path.suffix.lower() == ".json"
    limit = MAX_JSON if in_json else MAX_YAML
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise ValueError(f"{path.name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: it is not UTF-8") from None
    if len(data) > limit:
        advice = "" if in_json else f"; as JSON it may have {MAX_JSON}"
        raise ValueError(f"{path.name}: it is larger than {limit} bytes{advice}")
    if not in_json:
        try:
            return YamlSource.parse(text, path.name, numbers_as_keys=True).data
        except ConfigError as error:
            raise ValueError(str(error)) from None
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "it nests too deeply"
        raise ValueError(f"{path.name}: not valid JSON: {why}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key `{key}` is given twice")
        found[key] = value
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """A value of a document, and where it stands."""

    document: str
    pointer: str
    value: object

    def wrong(self, message: str) -> ValueError:
        return ValueError(f"{self.document}: {self.pointer}: {message}")

    def members(self) -> Iterator[tuple[str, _Part]]:
        for key, value in self._mapping().items():
            yield str(key), self._below(key, value)

    def items(self) -> Iterator[_Part]:
        if not isinstance(self.value, list):
            raise self.wrong("it is not a list")
        for index, value in enumerate(self.value):
            yield self._below(index, value)

    def get(self, key: str) -> _Part | None:
        mapping = self._mapping()
        return self._below(key, mapping[key]) if key in mapping else None

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("it is not a text")
        return self.value

    def one_of[Value: StrEnum](self, kind: type[Value]) -> Value:
        try:
            return kind(self.text())
        except ValueError:
            raise self.wrong(f"it is none of {', '.join(kind)}") from None

    def _mapping(self) -> dict[object, object]:
        if not isinstance(self.value, dict):
            raise self.wrong("it is not a mapping")
        return self.value

    def _below(self, key: object, value: object) -> _Part:
        escaped = str(key).replace("~", "~0").replace("/", "~1")
        return _Part(self.document, f"{self.pointer}/{escaped}", value)


class _Rows:
    """The rows found so far, by method and shape of the path."""

    def __init__(self, root: _Part, provider: str, prefix: str, defaults: Defaults) -> None:
        self.found: dict[tuple[str, str], Route] = {}
        self._root = root
        self._provider = provider
        self._prefix = prefix
        self._defaults = defaults
        self._starts = self._starts_of(_servers(root))
        self._shapes: dict[tuple[str, str], _Part] = {}
        self._names: dict[str, tuple[_Part, bool]] = {}

    def add_path(self, template: str, item: _Part) -> None:
        """Add the operations of a path item."""
        operations = dict(self._referred(item).members())
        starts = self._starts_at(operations.get("servers"), self._starts)
        for method in _METHODS:
            # HEAD is judged as GET; TRACE is always denied.
            if method not in operations or (method == "head" and "get" in operations):
                continue
            operation = operations[method]
            verb = "GET" if method == "head" else method.upper()
            for start in self._starts_at(operation.get("servers"), starts):
                self._add(verb, start + template, operation, self._row(verb, template, operation))

    def _referred(self, item: _Part) -> _Part:
        reference = item.get("$ref")
        if reference is None:
            return item
        if any(key in _METHODS for key, _ in item.members()):
            raise item.wrong("operations beside `$ref` can be read in two ways")
        target = reference.text()
        if not target.startswith("#/"):
            raise reference.wrong("it leads to another document: put what it names into this one")
        found: _Part | None = self._root
        for key in target[2:].split("/"):
            name = unquote(key).replace("~1", "/").replace("~0", "~")
            found = None if found is None else found.get(name)
        if found is None:
            raise reference.wrong("there is nothing in that place")
        if found.get("$ref") is not None:
            raise reference.wrong("it leads to another reference")
        return found

    def _add(self, method: str, path: str, operation: _Part, row: dict[str, Any]) -> None:
        try:
            route = Route(method=method, path=path_template(_widened(path)), **row)
        except ValueError as error:
            raise operation.wrong(str(error)) from None
        key = method, _PARAMETER.sub("{}", route.path)
        other = self.found.setdefault(key, route)
        if _meaning(other) != _meaning(route):
            raise operation.wrong(
                f"`{route.action}` cannot be told apart from `{other.action}`"
                f" ({self._shapes[key].pointer}): leave one out, or give both the same"
                f" `{_EXTENSION}`"
            )
        self._shapes.setdefault(key, operation)

    def _row(self, method: str, template: str, operation: _Part) -> dict[str, Any]:
        access, risk, categories = self._defaults[method]
        row: dict[str, Any] = {"access": access, "risk": risk, "categories": categories}
        extension = operation.get(_EXTENSION)
        for key, part in extension.members() if extension is not None else ():
            row[key] = _extended(key, part)
        given = "action" in row
        if not given:
            row["action"] = self._name(method, template, operation)
        name = row["action"]
        other, other_given = self._names.setdefault(name, (operation, given))
        # Two operations share a name only where the document says so.
        if other.pointer != operation.pointer and not (given and other_given):
            raise operation.wrong(
                f"it is called `{name}`, as is the operation at {other.pointer}:"
                f" name one with `{_EXTENSION}: {{action: …}}`"
            )
        if name.split(".")[1] in _GUARDED:
            raise operation.wrong(
                f"`{name}` is what an unknown operation is called:"
                f" name it with `{_EXTENSION}: {{action: …}}`"
            )
        return row

    def _name(self, method: str, template: str, operation: _Part) -> str:
        segments = template.strip("/").split("/")
        about = next(
            (_words(part) for part in segments if not _VERSION_SEGMENT.fullmatch(part)), []
        )
        tags = operation.get("tags")
        for tag in tags.items() if tags is not None else ():
            about = _words(tag.text())
            break
        given = operation.get("operationId")
        words = _words(f"{method.lower()}/{template}" if given is None else given.text())
        name = f"{self._provider}.{'_'.join(about) or 'root'}.{'_'.join(_without(words, about))}"
        try:
            return action_name(name)
        except ValueError as error:
            raise operation.wrong(f"{error}: name it with `{_EXTENSION}`") from None

    def _starts_at(self, servers: _Part | None, inherited: Sequence[str]) -> Sequence[str]:
        if servers is None:
            return inherited
        return self._starts_of([_server_path(server) for server in servers.items()]) or inherited

    def _starts_of(self, paths: Sequence[tuple[_Part, str]]) -> list[str]:
        """Where the paths of a document start below the prefix, for each of its servers."""
        starts = [
            _start(part, path.removesuffix("/"), self._prefix)
            for part, path in paths or [(self._root, "")]
        ]
        return sorted(set(starts))


def _servers(root: _Part) -> list[tuple[_Part, str]]:
    version = root.get("openapi")
    if version is not None and _VERSION.fullmatch(str(version.value)):
        servers = root.get("servers")
        return [] if servers is None else [_server_path(server) for server in servers.items()]
    swagger = root.get("swagger")
    if swagger is None or str(swagger.value) != "2.0":
        raise root.wrong("it is neither OpenAPI 3.0 or 3.1 nor Swagger 2.0")
    base = root.get("basePath")
    return [] if base is None else [(base, base.text())]


def _server_path(server: _Part) -> tuple[_Part, str]:
    url = server.get("url")
    if url is None:
        raise server.wrong("there is no `url`")
    match = _SERVER.fullmatch(url.text())
    path = (match[1] or match[2] or "") if match else None
    if path is None or "{" in path:
        raise url.wrong("it is no absolute URL with a plain path: write out what is variable")
    return url, path


def _start(part: _Part, path: str, prefix: str) -> str:
    if not prefix or path == prefix or path.startswith(f"{prefix}/"):
        return path.removeprefix(prefix)
    if prefix.endswith(path):
        return ""
    raise part.wrong(
        f"the document's paths start at `{path}`, which is not below the path `{prefix}` of the"
        " connector's `base_url`: correct one of them"
    )


def _widened(path: str) -> str:
    """`path` with each segment that has a parameter in it as one parameter as a whole.

    A row then covers more than `/{id}.pdf`, and never less.
    """
    return "/".join(
        "{" + re.sub(r"[^A-Za-z0-9_-]", "_", "_".join(names)) + "}" if names else segment
        for segment in path.split("/")
        for names in [_PARAMETER.findall(segment)]
    )


def _meaning(route: Route) -> tuple[object, ...]:
    return route.action, route.access, route.risk, route.categories


def _extended(key: str, part: _Part) -> object:
    match key:
        case "action":
            try:
                return action_name(part.text())
            except ValueError as error:
                raise part.wrong(str(error)) from None
        case "access":
            return part.one_of(Access)
        case "risk":
            return part.one_of(Risk)
        case "categories":
            return frozenset(item.one_of(Category) for item in part.items())
    raise part.wrong("unknown key; there are: action, access, risk, categories")


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _without(words: list[str], repeated: list[str]) -> list[str]:
    """`words` without the first run of `repeated` in them, unless nothing would be left."""
    length = len(repeated)
    for start in range(len(words) - length + 1):
        if length and words[start : start + length] == repeated:
            return words[:start] + words[start + length :] or words
    return words
