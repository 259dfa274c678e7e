"""Conditions: trees of comparisons as policies write them, and the closures that they become.

A condition is read once, checked to its last leaf, and knows nothing of connectors. For each
connector it is compiled to closures, because connectors differ in how they spell a resource.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tameflare_core.policy.facts import ABSENT, UNTOLD, Facts, Truth
from tameflare_core.policy.fields import Field, field_named
from tameflare_core.policy.logic import all_of, any_of, negated
from tameflare_core.policy.operands import Spelling
from tameflare_core.policy.operators import Test, comparison
from tameflare_core.policy.problems import ConditionErrors, Problem, Report

__all__ = ["Condition", "ConditionErrors", "Leaf", "LeafResult", "parse_condition"]

_MAX_DEPTH = 20
_MAX_LEAVES = 500
_MAX_SHOWN = 200
_LEAF_KEYS = ("field", "op", "value")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@*+#-]+")


class _Combinator(enum.StrEnum):
    ALL = "all"
    ANY = "any"
    NOT = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One comparison.

    Attributes:
        text: as explanations show it, like `params.amount gt 10000`; 200 characters at most.
        field: what it looks at.
        test_for: makes its test for one connector.
    """

    text: str
    field: Field
    test_for: Callable[[Spelling], Test]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafResult:
    """What came of one leaf.

    Attributes:
        text: the leaf's.
        truth: of this leaf alone.
        actual: the value that was found, as JSON without control characters, 200 characters at
            most; `absent` or `unknown` where there is none.
    """

    text: str
    truth: Truth
    actual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    combinator: _Combinator
    parts: tuple[_Node, ...]


type _Node = Leaf | _Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that has been read and checked.

    Attributes:
        fields: the name of every field that it looks at.
        reads_body: whether it looks at what may stand in a request's body.
    """

    fields: frozenset[str]
    reads_body: bool
    _root: _Node

    def compiled(
        self, *, spelled: Callable[[str, str], str], folded: frozenset[str]
    ) -> Callable[[Facts], Truth]:
        """The condition as a function, for the actions of one connector.

        Whatever that function raises means that the condition could not be evaluated.

        Args:
            spelled: puts a value of a resource field into the connector's spelling.
            folded: resource fields whose values are in lower case.
        """
        return _compiled(self._root, Spelling(spelled=spelled, folded=folded))

    def leaves(self) -> tuple[Leaf, ...]:
        """Every comparison, in the order of the document."""
        return tuple(_leaves(self._root))

    def told(
        self, facts: Facts, *, spelled: Callable[[str, str], str], folded: frozenset[str]
    ) -> tuple[LeafResult, ...]:
        """What each leaf makes of `facts`, for an explanation; arguments as for `compiled`."""
        spelling = Spelling(spelled=spelled, folded=folded)
        return tuple(
            LeafResult(
                text=leaf.text,
                truth=leaf.test_for(spelling)(facts),
                actual=_shown_value(leaf.field.read(facts)),
            )
            for leaf in self.leaves()
        )


def parse_condition(document: object) -> Condition:
    """Read a condition: a leaf `{field, op, value}`, or `all`, `any` or `not` of conditions.

    Raises:
        ConditionErrors: it is none, nests deeper than 20, or has more than 500 leaves; everything
            that is wrong is named at once.
    """
    problems: list[Problem] = []
    reader = _Reader()
    root = reader.node(document, Report(problems), depth=1)
    if root is None or problems:
        raise ConditionErrors(problems)
    leaves = tuple(_leaves(root))
    return Condition(
        fields=frozenset(leaf.field.name for leaf in leaves),
        reads_body=any(leaf.field.needs_body for leaf in leaves),
        _root=root,
    )


def _compiled(node: _Node, spelling: Spelling) -> Test:
    if isinstance(node, Leaf):
        return node.test_for(spelling)
    tests = [_compiled(part, spelling) for part in node.parts]
    match node.combinator:
        case _Combinator.ALL:
            return all_of(tests)
        case _Combinator.ANY:
            return any_of(tests)
        case _Combinator.NOT:
            return negated(tests[0])


def _leaves(node: _Node) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
    else:
        for part in node.parts:
            yield from _leaves(part)


class _Reader:
    """Reads one document; it counts leaves across the whole of it."""

    def __init__(self) -> None:
        self._leaves = 0

    def node(self, document: object, report: Report, *, depth: int) -> _Node | None:
        if self._leaves > _MAX_LEAVES:
            return None
        found = [key for key in _Combinator if isinstance(document, Mapping) and key in document]
        if found and isinstance(document, Mapping):
            if len(document) > 1:
                report.add(f"`{found[0]}` stands alone: put it and its neighbours into an `all`")
                return None
            return self._branch(found[0], document[found[0]], report.below(found[0].value), depth)
        self._leaves += 1
        if self._leaves > _MAX_LEAVES:
            report.add(f"more than {_MAX_LEAVES} comparisons: write several rules")
            return None
        return _leaf(document, report)

    def _branch(
        self, combinator: _Combinator, document: object, report: Report, depth: int
    ) -> _Branch | None:
        if depth >= _MAX_DEPTH:
            report.add(f"nested deeper than {_MAX_DEPTH}: write several rules")
            return None
        if combinator is _Combinator.NOT:
            parts = [self.node(document, report, depth=depth + 1)]
        elif isinstance(document, list) and document:
            parts = [
                self.node(part, report.below(index), depth=depth + 1)
                for index, part in enumerate(document)
            ]
        else:
            report.add("write a list of one condition or more")
            return None
        read = tuple(part for part in parts if part is not None)
        return _Branch(combinator=combinator, parts=read) if len(read) == len(parts) else None


def _leaf(document: object, report: Report) -> Leaf | None:
    if not isinstance(document, Mapping):
        report.add("write `{field: …, op: …, value: …}`, or `all`, `any` or `not`")
        return None
    for key in document:
        if key not in _LEAF_KEYS:
            report.below(str(key)).add("unknown key")
    missing = [key for key in ("field", "op") if key not in document]
    for key in missing:
        report.below(key).add("missing")
    if "field" not in document:
        return None
    try:
        field = field_named(str(document["field"]))
    except ValueError as error:
        report.below("field").add(str(error))
        return None
    if missing:
        return None
    test_for = comparison(field, document["op"], document, report)
    if test_for is None:
        return None
    words = [field.name, str(document["op"])]
    if "value" in document:
        words.append(_shown(document["value"]))
    return Leaf(text=_bounded(" ".join(words)), field=field, test_for=test_for)


def _shown(value: object) -> str:
    """A value of a condition as whoever wrote it would recognise it."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_shown(each)}' for key, each in value.items())}}}"
    return _as_json(value)


def _shown_value(value: object) -> str:
    if value is ABSENT:
        return "absent"
    if value is UNTOLD:
        return "unknown"
    return _bounded(_as_json(value))


def _as_json(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, frozenset):
        value = sorted(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    # What would move a terminal's cursor or turn the direction of its text.
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _bounded(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
