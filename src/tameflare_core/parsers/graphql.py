"""GraphQL over HTTP: which fields of the root a request would run, with their arguments.

Every field that could run counts: in fragments, behind `@skip` and `@include`, and in each
operation unless `operationName` picks one. What servers read in different ways is opaque. Sources:
GraphQL specification (October 2021), sections 2 and 6; GraphQL over HTTP, section 5.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.strict_json import Json, json_object, parse_json
from tameflare_core.request import FORM_TYPE, BodyState, OutboundRequest

if TYPE_CHECKING:
    from graphql.language import (
        ArgumentNode,
        FieldNode,
        FragmentDefinitionNode,
        Node,
        ObjectFieldNode,
        OperationDefinitionNode,
        SelectionSetNode,
        ValueNode,
    )

__all__ = ["MAX_DOCUMENT", "OperationKind", "RootField", "read_graphql"]

MAX_DOCUMENT = 64 * 1024
"""Characters that a document may have; a parser of Python takes 100 ms for a megabyte."""

_MAX_TOKENS = 5_000
_MAX_OPERATIONS = 10
_MAX_ROOT_FIELDS = 200
# One variable may stand in many places, so that a small request unfolds to a huge one.
_MAX_UNFOLDED = 2 * 1024 * 1024

_KEYS = frozenset({"query", "variables", "operationName", "extensions"})
_QUERY_KEYS = _KEYS - {"extensions"}
# What Apollo's clients say about themselves; everything else, like `persistedQuery`, may decide.
_HARMLESS_EXTENSIONS = frozenset({"clientLibrary"})

_JSON_TYPE = re.compile(r"application/json\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.IGNORECASE)


class OperationKind(enum.StrEnum):
    """What an operation does with the fields of its root."""

    QUERY = "query"
    MUTATION = "mutation"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootField:
    """One field of an operation's root.

    Attributes:
        kind: what the operation is.
        name: the field's own name, whatever its alias.
        arguments: variables and their defaults put in; enum values are strings.
        selected: the names of all fields that its operation selects below the root, at any depth.
        entered: those of them that stand at least two levels below the root and have fields of
            their own, so that the answer holds more than the field's result.
    """

    kind: OperationKind
    name: str
    arguments: Mapping[str, Json]
    selected: frozenset[str]
    entered: frozenset[str]


def read_graphql(request: OutboundRequest) -> tuple[RootField, ...] | None:
    """Read a GET or POST at a GraphQL endpoint.

    Returns:
        The root's fields of each operation that could run, at least one; None for a GET that names
        no document.

    Raises:
        OpaqueBody: what it would run cannot be told: a stored document, a batch, a subscription, a
            document with an error or beyond the limits, another content type, another method.
        RequestRejected: parameters stand in two places, twice, or under unknown names.
    """
    envelope = _envelope(request)
    if envelope is None:
        return None
    document = envelope.get("query")
    if not isinstance(document, str):
        raise OpaqueBody("no GraphQL document in the request")
    name = envelope.get("operationName")
    if name is not None and not isinstance(name, str):
        raise OpaqueBody("`operationName` is not a string")
    try:
        return _read(document, _variables(envelope.get("variables")), name or "")
    except RecursionError:
        raise OpaqueBody("GraphQL document nests too deeply") from None


def _envelope(request: OutboundRequest) -> Mapping[str, Json] | None:
    if request.operation == "GET":
        return _in_query(request)
    if request.method != "POST":
        raise OpaqueBody(f"GraphQL by {request.method}")
    if request.query:
        raise RequestRejected("a GraphQL request by POST has parameters in its query")
    content_type = request.headers.get("content-type").strip()
    if not _JSON_TYPE.fullmatch(content_type):
        _check_no_form(content_type, request)
    envelope = json_object(request)
    extensions = envelope.get("extensions")
    if not envelope.keys() <= _KEYS or not (
        extensions is None
        or (isinstance(extensions, dict) and extensions.keys() <= _HARMLESS_EXTENSIONS)
    ):
        raise OpaqueBody("a GraphQL request holds more than a document and its variables")
    return envelope


def _check_no_form(content_type: str, request: OutboundRequest) -> None:
    # curl sends JSON as a form unless told otherwise, and services take it for JSON. Whoever reads
    # it as a form must not find another document in it: without separators there is but one name.
    if content_type.partition(";")[0].strip().lower() not in {"", FORM_TYPE}:
        raise OpaqueBody("GraphQL in a content type other than JSON")
    if re.search(rb"[&;]", request.decoded_body()):
        raise OpaqueBody("GraphQL request can be read as JSON and as a form")


def _in_query(request: OutboundRequest) -> Mapping[str, Json] | None:
    if request.body.state is not BodyState.ABSENT:
        raise OpaqueBody("a GraphQL request by GET has a body")
    if not request.query:
        return None
    # Older servers split at `;` too.
    if ";" in request.query:
        raise RequestRejected("`;` in the query of a GraphQL request")
    try:
        pairs = parse_qsl(request.query, keep_blank_values=True, errors="strict", max_num_fields=3)
    except ValueError:
        raise RequestRejected("query of a GraphQL request cannot be read in one way") from None
    values: dict[str, Json] = dict(pairs)
    if len(values) != len(pairs) or not values.keys() <= _QUERY_KEYS:
        raise RequestRejected("unknown or repeated parameter in the query of a GraphQL request")
    return values


def _variables(value: Json) -> Mapping[str, Json]:
    # Rails applications take variables as a text of JSON, too.
    if isinstance(value, str):
        value = parse_json(value.encode("utf-8", "surrogatepass")) if value else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OpaqueBody("GraphQL variables are not an object")
    return value


def _read(text: str, variables: Mapping[str, Json], name: str) -> tuple[RootField, ...]:
    from graphql.language import FragmentDefinitionNode, OperationDefinitionNode

    operations: list[OperationDefinitionNode] = []
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in _parsed(text):
        match definition:
            case OperationDefinitionNode():
                operations.append(definition)
            case FragmentDefinitionNode() if definition.name.value not in fragments:
                fragments[definition.name.value] = definition
            case _:
                raise OpaqueBody("GraphQL document holds a type, or a fragment twice")
    unfolding = _Unfolding(variables, fragments)
    fields: list[RootField] = []
    for operation in _running(operations, name):
        fields += unfolding.fields_of(operation)
    if not fields:
        raise OpaqueBody("GraphQL document runs nothing")
    return tuple(fields)


def _parsed(text: str) -> Iterable[Node]:
    from graphql import GraphQLError, parse

    if len(text) > MAX_DOCUMENT:
        raise OpaqueBody(f"GraphQL document longer than {MAX_DOCUMENT} characters")
    # Lexers that know `\"` and not `\\` go on with the string here, and so see other fields.
    if '\\\\"' in text:
        raise OpaqueBody("GraphQL string with a backslash before its end")
    try:
        return parse(text, no_location=True, max_tokens=_MAX_TOKENS).definitions
    # A lone surrogate is no error of the language to the lexer, but cannot be encoded.
    except (GraphQLError, ValueError):
        raise OpaqueBody("not a GraphQL document that can be read") from None


def _running(operations: list[OperationDefinitionNode], name: str) -> list[OperationDefinitionNode]:
    names = [operation.name.value if operation.name else "" for operation in operations]
    if len(set(names)) != len(names):
        raise OpaqueBody("two GraphQL operations have one name")
    if name and name in names:
        return [operations[names.index(name)]]
    # Where `name` is nobody's, the server should refuse; if it runs one all the same, it is judged.
    if len(operations) > _MAX_OPERATIONS:
        raise OpaqueBody(f"more than {_MAX_OPERATIONS} GraphQL operations could run")
    return operations


class _Unfolding:
    """Puts fragments and variables in, within a bound."""

    def __init__(
        self, variables: Mapping[str, Json], fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self._given = variables
        self._fragments = fragments
        self._variables: dict[str, Json] = {}
        self._sizes: dict[str, int] = {}
        self._unfolded = 0

    def fields_of(self, operation: OperationDefinitionNode) -> list[RootField]:
        """The fields of the operation's root, those of its fragments included."""
        kind = operation.operation.value
        if kind not in set(OperationKind):
            raise OpaqueBody(f"GraphQL {kind}")
        self._variables = {**self._defaults(operation), **self._given}
        self._sizes = {}
        selection = self._select(operation.selection_set)
        if len(selection.root) > _MAX_ROOT_FIELDS:
            raise OpaqueBody(f"more than {_MAX_ROOT_FIELDS} fields at the root of an operation")
        selected, entered = frozenset(selection.selected), frozenset(selection.entered)
        return [
            RootField(
                kind=OperationKind(kind),
                name=field.name.value,
                arguments=self._members(field.arguments or ()),
                selected=selected,
                entered=entered,
            )
            for field in selection.root
        ]

    def _select(self, root: SelectionSetNode) -> _Selection:
        from graphql.language import FieldNode, FragmentSpreadNode, InlineFragmentNode

        found = _Selection()
        # At one level a fragment adds the same however often it is spread, and may spread itself.
        seen: set[tuple[str, int]] = set()
        rest = [(root, 0)]
        while rest:
            selections, level = rest.pop()
            for part in selections.selections:
                if isinstance(part, FieldNode):
                    found.add(part, level)
                    if part.selection_set is not None:
                        rest.append((part.selection_set, min(level + 1, 2)))
                elif isinstance(part, InlineFragmentNode):
                    rest.append((part.selection_set, level))
                elif isinstance(part, FragmentSpreadNode):
                    name = part.name.value
                    if name not in self._fragments:
                        raise OpaqueBody("GraphQL document spreads an unknown fragment")
                    if (name, level) not in seen:
                        seen.add((name, level))
                        rest.append((self._fragments[name].selection_set, level))
        return found

    def _defaults(self, operation: OperationDefinitionNode) -> dict[str, Json]:
        declared = operation.variable_definitions or ()
        names = [part.variable.name.value for part in declared]
        if len(set(names)) != len(names):
            raise OpaqueBody("a GraphQL variable is declared twice")
        # The grammar has no variables in a default.
        return {
            part.variable.name.value: self._value(part.default_value)
            for part in declared
            if part.default_value is not None
        }

    def _members(self, parts: Sequence[ArgumentNode | ObjectFieldNode]) -> dict[str, Json]:
        from graphql.language import VariableNode

        if len({part.name.value for part in parts}) != len(parts):
            raise OpaqueBody("a GraphQL argument stands twice")
        return {
            part.name.value: self._value(part.value)
            for part in parts
            # An argument whose variable has no value counts as not given.
            if not isinstance(part.value, VariableNode) or part.value.name.value in self._variables
        }

    def _value(self, node: ValueNode) -> Json:
        from graphql import language

        match node:
            case language.VariableNode():
                return self._variable(node.name.value)
            case language.NullValueNode():
                return None
            case language.BooleanValueNode() | language.StringValueNode():
                return node.value
            case language.EnumValueNode():
                return node.value
            case language.IntValueNode():
                # Longer ones are beyond every integer type, and conversion is not linear.
                return int(node.value) if len(node.value) < 20 else node.value
            case language.FloatValueNode():
                return float(node.value)
            case language.ListValueNode():
                return [self._value(item) for item in node.values]
            case language.ObjectValueNode():
                return self._members(node.fields)
        raise OpaqueBody("GraphQL value of an unknown kind")

    def _variable(self, name: str) -> Json:
        value = self._variables.get(name)
        if name not in self._sizes:
            self._sizes[name] = len(repr(value))
        self._unfolded += self._sizes[name]
        if self._unfolded > _MAX_UNFOLDED:
            raise OpaqueBody("GraphQL variables stand in too many places")
        return value


class _Selection:
    """What an operation selects, by how deep it stands: see `RootField`."""

    def __init__(self) -> None:
        self.root: list[FieldNode] = []
        self.selected: set[str] = set()
        self.entered: set[str] = set()

    def add(self, field: FieldNode, level: int) -> None:
        """Note a field that stands `level` levels below the root's fields."""
        if level == 0:
            self.root.append(field)
            return
        self.selected.add(field.name.value)
        if level > 1 and field.selection_set is not None:
            self.entered.add(field.name.value)
