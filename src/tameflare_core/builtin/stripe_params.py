"""What Stripe's parameters say: one reading of query and body, amounts, and what a policy sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import cast

from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.form import FormValue, form_object, parse_form
from tameflare_core.parsers.strict_json import Json, json_object
from tameflare_core.request import FORM_TYPE, BodyState, OutboundRequest

__all__ = [
    "SHOWN",
    "elements",
    "is_set",
    "objects",
    "parameters",
    "query_parameters",
    "shown",
    "shows_all",
]

type Parameters = Mapping[str, Json]

# The newer API takes `application/json`, the older one forms; neither other charset than UTF-8.
_CONTENT_TYPE = re.compile(
    r"([a-z/+.-]*)[ \t]*(?:;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE
)

_MOST = 10**15
_MOST_IN_ALL = 10**18
_MAX_JSON = 1024 * 1024
_MAX_OBJECTS = 4_000
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,12})?")
_CURRENCY = re.compile(r"[A-Za-z]{3,8}")

# Money in minor units, wherever they stand.
_AMOUNTS = frozenset(
    {
        "amount",
        "amount_off",
        "amount_requested",
        "amount_to_capture",
        "application_fee_amount",
        "balance",
        "capture_amount",
        "credit_amount",
        "final_amount",
        "flat_amount",
        "flat_amount_decimal",
        "increment_amount",
        "out_of_band_amount",
        "refund_amount",
        "unit_amount",
        "unit_amount_decimal",
    }
)
_WHOLE_AMOUNTS = frozenset(name for name in _AMOUNTS if not name.endswith("_decimal"))
_QUANTITIES = ("quantity", "quantity_decimal")
_ITEMS = ("line_items", "items", "lines", "add_invoice_items", "invoice_items")

# Neither card data nor metadata is shown to anybody.
_TEXTS = frozenset(
    {
        "cancel_at",
        "capture_method",
        "charge",
        "collection_method",
        "coupon",
        "customer",
        "description",
        "destination",
        "email",
        "end_behavior",
        "grant_type",
        "invoice",
        "method",
        "mode",
        "on_behalf_of",
        "payment_intent",
        "payment_method",
        "plan",
        "price",
        "product",
        "promotion_code",
        "proration_behavior",
        "purpose",
        "query",
        "reason",
        "source",
        "status",
        "subscription",
        "transfer_group",
        "type",
        "url",
    }
)
_FLAGS = frozenset(
    {
        "active",
        "auto_advance",
        "cancel_at_period_end",
        "confirm",
        "disabled",
        "off_session",
        "refund_application_fee",
        "reverse_transfer",
    }
)
_NUMBERS = frozenset({"limit", "quantity"})
_NESTED = ("transfer_data", "destination", "from", "to")
_IN_NESTED = frozenset(
    {"account", "currency", "destination", "financial_account", "payout_method", "recipient"}
)
_EVENTS = "enabled_events"

SHOWN = frozenset(
    {
        *_FLAGS,
        *_ITEMS,
        *_NESTED,
        *_NUMBERS,
        *_TEXTS,
        *_WHOLE_AMOUNTS,
        _EVENTS,
        "currency",
    }
)
"""The names that `shown` gives."""

_DECIDING = SHOWN | _AMOUNTS


def query_parameters(request: OutboundRequest) -> dict[str, Json]:
    """The parameters in the query alone.

    Raises:
        RequestRejected: the query can be read in two ways.
    """
    try:
        return _as_json(parse_form((request.query or "").encode("ascii")))
    except OpaqueBody:
        raise RequestRejected("query parameters that can be read in two ways") from None


def parameters(request: OutboundRequest, *, takes_json: bool) -> dict[str, Json]:
    """Every parameter of a request, in its query or its body, by name.

    Args:
        request: its body has been read.
        takes_json: whether the operation takes JSON and no form.

    Raises:
        OpaqueBody: the body cannot be read in one way, or is of a kind that the operation does not
            take.
        RequestRejected: the query can be read in two ways, or says something else than the body.
    """
    in_query = query_parameters(request)
    in_body = _in_body(request, takes_json=takes_json)
    for name in in_query.keys() & in_body.keys():
        if in_query[name] != in_body[name]:
            raise RequestRejected(f"`{name}` is one thing in the query and another in the body")
    if any(name not in _DECIDING and name.casefold() in _DECIDING for name in in_query | in_body):
        raise OpaqueBody("a parameter differs from a known one in case only")
    return in_query | in_body


def _in_body(request: OutboundRequest, *, takes_json: bool) -> dict[str, Json]:
    if request.body.state is BodyState.ABSENT:
        return {}
    found = _CONTENT_TYPE.fullmatch(request.headers.get("content-type"))
    kind = found[1].lower() if found is not None else None
    if takes_json and kind == "application/json":
        return _bounded_json(request)
    # Nothing of the older API is named by its type alone: without one, a body is a form.
    if not takes_json and kind in {"", FORM_TYPE}:
        return _as_json(form_object(request))
    raise OpaqueBody("the body is not of the kind that this operation takes")


def _bounded_json(request: OutboundRequest) -> dict[str, Json]:
    # It is walked through more than once.
    if len(request.decoded_body()) > _MAX_JSON:
        raise OpaqueBody("the body is too long when decoded")
    document = json_object(request, _DECIDING)
    for number, _ in enumerate(objects(document)):
        if number == _MAX_OBJECTS:
            raise OpaqueBody("the body has too many objects")
    return document


def _as_json(form: dict[str, FormValue]) -> dict[str, Json]:
    return cast(dict[str, Json], form)


def is_set(value: Json) -> bool:
    """Whether a parameter asks for something; empty ones unset, and `false` asks for nothing."""
    return value not in (None, "", False, "false", [], {})


def elements(value: Json) -> Sequence[Json]:
    """The elements of a list, which forms spell as `a[]`, as `a[0]`, or as one value."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values()) if _is_numbered(value) else [value]
    return [] if value is None else [value]


def objects(params: Parameters) -> Iterator[Parameters]:
    """`params` and every object within it, except metadata."""
    stack: list[Json] = [dict(params)]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack += [child for key, child in node.items() if key != "metadata"]
        elif isinstance(node, list):
            stack += node


def shown(params: Parameters) -> dict[str, object]:
    """What rules and approvers see of the parameters.

    Returns:
        `amount` and `currency` of everything together, numbers and flags as such, texts, and lists
        of items with `price`, `quantity`, `amount` and `currency`.

    Raises:
        OpaqueBody: an amount, a quantity or a limit is no plain decimal number, a currency no code.
    """
    seen: dict[str, object] = {}
    for name, value in params.items():
        if not is_set(value) and value not in (False, "false"):
            continue
        if name in _FLAGS:
            seen[name] = {"true": True, "false": False}.get(str(value).lower(), value)
        elif name in _NUMBERS or (name in _WHOLE_AMOUNTS and isinstance(value, str | int)):
            seen[name] = _whole(value)
        elif name in _TEXTS and isinstance(value, str):
            seen[name] = value
        elif name in _NESTED and isinstance(value, dict):
            seen[name] = _leaves(value)
        elif name in _ITEMS:
            seen[name] = [_item(element) for element in elements(value)]
        elif name == _EVENTS:
            seen[name] = [event for event in elements(value) if isinstance(event, str)]
    amount = _minor_units(dict(params))
    if amount is not None:
        seen["amount"] = amount
    currency = _currency(params)
    if currency:
        seen["currency"] = currency
    return seen


def shows_all(params: Parameters, seen: Mapping[str, object]) -> bool:
    """Whether `seen`, which `shown` made of `params`, has all of what they say under its names.

    Lists of items aside, of which it has what is told of items.
    """
    for name in params.keys() & SHOWN.difference(_ITEMS):
        value, told = params[name], seen.get(name)
        if not is_set(value):
            continue
        match told:
            case None:
                return False
            case list() if len(told) < len(elements(value)):
                return False
            case dict() if isinstance(value, dict) and not _set_keys(value) <= told.keys():
                return False
    return True


def _set_keys(value: Parameters) -> set[str]:
    return {key for key, leaf in value.items() if is_set(leaf)}


def _leaves(value: Parameters) -> dict[str, object]:
    leaves: dict[str, object] = {
        key: leaf for key, leaf in value.items() if key in _IN_NESTED and isinstance(leaf, str)
    }
    if is_set(value.get("amount")):
        leaves["amount"] = _minor_units({"amount": value["amount"]})
    return leaves


def _item(element: Json) -> dict[str, object]:
    if not isinstance(element, dict):
        raise OpaqueBody("an item is no object")
    item: dict[str, object] = {
        key: value
        for key in ("price", "product", "plan")
        if isinstance(value := element.get(key), str)
    }
    if is_set(element.get("quantity")):
        item["quantity"] = _whole(element["quantity"])
    amount = _minor_units(element)
    if amount is not None:
        item["amount"] = amount
    return item


def _minor_units(node: Json) -> int | None:
    try:
        amount = _amount(node)
    except RecursionError:
        raise OpaqueBody("the body nests too deeply") from None
    if amount is not None and amount >= _MOST_IN_ALL:
        raise OpaqueBody("an amount is larger than any money")
    return None if amount is None else int(amount.to_integral_value(ROUND_CEILING))


def _amount(node: Json, *, named: bool = False) -> Decimal | None:
    """The most that an object asks for: its largest amount, times its quantity, of lists the sum.

    Args:
        node: any parameter.
        named: whether its name is one of an amount.
    """
    if named and (isinstance(node, list) or (isinstance(node, dict) and _is_numbered(node))):
        raise OpaqueBody("an amount is a list")
    if isinstance(node, dict):
        found = [
            _amount(child, named=key in _AMOUNTS or (named and key == "value"))
            for key, child in node.items()
            if key != "metadata"
        ]
        amounts = [amount for amount in found if amount is not None]
        if not amounts:
            return None
        return sum(amounts, Decimal()) if _is_numbered(node) else max(amounts) * _quantity(node)
    if isinstance(node, list):
        amounts = [amount for amount in map(_amount, node) if amount is not None]
        return sum(amounts, Decimal()) if amounts else None
    return abs(_number(node)) if named and is_set(node) else None


def _is_numbered(node: Parameters) -> bool:
    return bool(node) and all(key.isascii() and key.isdigit() for key in node)


def _quantity(node: Parameters) -> Decimal:
    quantities = [abs(_number(node[key])) for key in _QUANTITIES if is_set(node.get(key))]
    return max(quantities, default=Decimal(1))


def _currency(params: Parameters) -> str:
    found: set[str] = set()
    for node in objects(params):
        value = node.get("currency")
        if not is_set(value):
            continue
        if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
            raise OpaqueBody("a currency is not a code of letters")
        found.add(value.lower())
    return ",".join(sorted(found))


def _whole(value: Json) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST:
        return value
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise OpaqueBody("a number is not a plain decimal integer")
    return int(value)


def _number(value: Json) -> Decimal:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    return Decimal(_whole(value))
