"""What fields are compared with: the values of a condition, checked against the field's kind."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from tameflare_core.policy.fields import Field, Kind
from tameflare_core.policy.json_values import Scalar
from tameflare_core.policy.problems import Report
from tameflare_core.policy.quantities import Quantity, number_of

__all__ = [
    "Operand",
    "Spelling",
    "choice_operand",
    "number_operand",
    "operand",
    "scalar_operand",
    "text_operand",
]

type Operand = Scalar | Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a connector writes the values of its resource fields.

    Attributes:
        spelled: puts a value of a resource field into that form: `Connector.constraint`.
        folded: resource fields whose values are in lower case: `Connector.case_insensitive`.
    """

    spelled: Callable[[str, str], str]
    folded: frozenset[str]

    def whole(self, field: Field, text: str) -> str:
        """A whole value as `field` has it."""
        return self.spelled(field.resource, text) if field.resource else _written(field, text)

    def part(self, field: Field, text: str) -> str:
        """A part of a value as `field` has it."""
        if field.spelling is not None:
            return field.spelling(text)
        return text.lower() if field.resource in self.folded else text

    def ignores_case(self, field: Field) -> bool:
        """Whether the values of `field` are all in one case."""
        return field.spelling is not None or field.resource in self.folded


def operand(field: Field, value: object, report: Report) -> Operand | None:
    """The whole value that a field is compared with; None when the field cannot have it."""
    if field.kind is Kind.ANY:
        scalar = scalar_operand(value, report)
        return _quantity(field, scalar, report) if isinstance(scalar, str) else scalar
    if field.kind is Kind.NUMBER:
        return number_operand(field, value, report)
    if field.choices:
        return choice_operand(field, value, report)
    text = text_operand(field, value, report)
    if text is None:
        return None
    try:
        _written(field, text)
    except ValueError as error:
        report.add(str(error))
        return None
    return text


def _written(field: Field, text: str) -> str:
    if field.spelling is not None:
        text = field.spelling(text)
    return text if field.canonical is None else field.canonical(text)


def scalar_operand(value: object, report: Report) -> Scalar | None:
    """A text, number or boolean; None when it is none of these."""
    if isinstance(value, str | bool):
        return value
    number = number_of(value)
    if number is None:
        report.add("write a text, a number, `true` or `false`")
    return number


def _quantity(field: Field, text: str, report: Report) -> Quantity | str | None:
    try:
        return Quantity.within(text, field.name) or text
    except ValueError as error:
        report.add(str(error))
        return None


def number_operand(field: Field, value: object, report: Report) -> Quantity | None:
    """A number in a unit of the field; None when it is none."""
    try:
        return Quantity.parse(value, field.name)
    except ValueError as error:
        report.add(str(error))
        return None


def choice_operand(field: Field, value: object, report: Report) -> str | None:
    """One of the words of a field; None when it is none of them."""
    if isinstance(value, str) and value in field.choices:
        return value
    nearest = difflib.get_close_matches(str(value), field.choices, n=1)
    advice = f"did you mean `{nearest[0]}`?" if nearest else f"one of {', '.join(field.choices)}"
    report.add(f"`{field.name}` is never `{value}`: {advice}")
    return None


def text_operand(field: Field, value: object, report: Report) -> str | None:
    """A text; None when it is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        report.add("write a text")
    else:
        report.add(f"`{field.name}` is text: put `{value}` in quotes")
    return None
