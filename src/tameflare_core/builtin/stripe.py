"""Stripe: every published operation of both generations of its API, Connect's OAuth and files.

Source of the operations: Stripe's published client libraries, as names in `catalogs/stripe.tsv`,
and rows that they no longer have but clients send: refunds below charges, subscriptions below
customers, `/v1/account`, `people`, `linked_accounts`, `/oauth`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.stripe_params import (
    SHOWN,
    elements,
    is_set,
    objects,
    parameters,
    query_parameters,
    shown,
    shows_all,
)
from tameflare_core.connectors.base import Connector
from tameflare_core.connectors.catalogue import CatalogueConnector
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header, Placement
from tameflare_core.parsers.route_table import Route
from tameflare_core.parsers.strict_json import Json
from tameflare_core.request import OutboundRequest

__all__ = ["Stripe", "register_connectors"]

_FILES = "/v1/files"
_STREAM = "/v2/billing/meter_event_stream"

# On whose behalf a platform acts; Stripe tells the case of an account's id.
_ACCOUNT = re.compile(r"[A-Za-z0-9_]+")
_CONTEXT = re.compile(r"[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)*")

# What some routers drop from an id, so that a rule about `cus_1` would not see it in `cus_1.json`.
_DECORATED = re.compile(r"^\s|\s$|[;?#]|\.(?:json|xml)?$", re.IGNORECASE)

# Parameters that say what a request acts on, beside its path.
_ACTED_ON = {
    "account": "account",
    "charge": "charge",
    "customer": "customer",
    "invoice": "invoice",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "stripe_user_id": "account",
    "subscription": "subscription",
}

_CANCEL_CARD = "stripe.issuing_card.cancel"
_REVEAL_ACCOUNT = "stripe.bank_account.reveal_number"
_REVEAL_CARD = "stripe.issuing_card.reveal_number"
# Fields that an answer holds only when it is asked to.
_REVEALED = {"account_number": _REVEAL_ACCOUNT, "cvc": _REVEAL_CARD, "number": _REVEAL_CARD}


class Stripe(CatalogueConnector):
    """Stripe's API: `/v1` with forms, `/v2` with JSON, and OAuth of Connect.

    It owns `api`, `files`, `connect` and `meter-events.stripe.com`; an operation has one name on
    all of them. With a `base_url` it owns that host alone.
    """

    type = "stripe"
    provider = "stripe"
    placement = Header()
    probe = "GET /v1/balance"
    catalogue_file = files(__package__) / "catalogs" / "stripe.tsv"
    home = ("api.stripe.com", "files.stripe.com", "connect.stripe.com", "meter-events.stripe.com")
    further_actions = frozenset({_CANCEL_CARD, _REVEAL_ACCOUNT})
    further_fields = frozenset(_ACTED_ON.values()) | {"context"}

    @property
    def param_fields(self) -> frozenset[str]:
        return SHOWN

    def needs_body(self, request: OutboundRequest) -> bool:
        # Parameters may stand in the body whatever the method is.
        return not self._uploads(request)

    def takes_method_from_body(self, request: OutboundRequest) -> bool:
        return not self._uploads(request)

    def placement_for(self, request: OutboundRequest, configured: Placement) -> Placement | None:
        # The stream takes the short-lived token that a meter event session gave to the client.
        return None if self.below(request) == _STREAM else configured

    def spelled(self, key: str, value: str) -> str:
        return _plain_id(key, value)

    def refine(self, action: Action, request: OutboundRequest) -> Sequence[Action]:
        uploads = self._uploads(request)
        if uploads:
            params = query_parameters(request)
        else:
            takes_json = (self.below(request) or "").startswith("/v2/")
            params = parameters(request, takes_json=takes_json)
        seen = shown(params)
        action = replace(
            _on_behalf(_acting_on(action, params), request),
            params=seen,
            params_complete=not uploads and shows_all(params, seen),
        )
        names = dict.fromkeys(_further(action.name, params))
        names.pop(action.name, None)
        return (action, *(_also(action, name) for name in names))

    def _uploads(self, request: OutboundRequest) -> bool:
        # Whatever a file holds, uploading it is one operation; its parts are not read.
        is_multipart = request.media_type == "multipart/form-data"
        return is_multipart and request.method == "POST" and self.below(request) == _FILES


def _acting_on(action: Action, params: Mapping[str, Json]) -> Action:
    resource = dict(action.resource)
    complete = action.resource_complete
    for name, field in _ACTED_ON.items():
        value = params.get(name)
        if not is_set(value):
            continue
        if not isinstance(value, str):
            complete = False
        elif resource.setdefault(field, _plain_id(name, value)) != value:
            raise RequestRejected(f"`{name}` names another {field} than the path")
    return replace(action, resource=resource, resource_complete=complete)


def _plain_id(key: str, value: str) -> str:
    if _DECORATED.search(value):
        raise RequestRejected(f"`{key}` is no plain id")
    return value


def _on_behalf(action: Action, request: OutboundRequest) -> Action:
    resource = dict(action.resource)
    account = _header(request, "stripe-account", _ACCOUNT)
    context = _header(request, "stripe-context", _CONTEXT)
    if context:
        resource["context"] = context
    for named in (account, context.rsplit("/", 1)[-1]):
        if named and resource.setdefault("account", named) != named:
            raise RequestRejected("the request names two accounts")
    return replace(action, resource=resource)


def _header(request: OutboundRequest, name: str, form: re.Pattern[str]) -> str:
    value = request.headers.get(name)
    if value and not form.fullmatch(value):
        raise RequestRejected(f"header `{name}` is not one account")
    return value


def _also(action: Action, name: str) -> Action:
    row = _rows()[name]
    return replace(action, name=name, access=row.access, risk=row.risk, categories=row.categories)


@cache
def _rows() -> Mapping[str, Route]:
    further = (
        Route(
            method="POST",
            path="/v1/issuing/cards/{issuing_card}",
            action=_CANCEL_CARD,
            access=Access.WRITE,
            risk=Risk.HIGH,
            categories=frozenset({Category.DESTRUCTIVE, Category.FINANCIAL}),
        ),
        Route(
            method="GET",
            path="/v1/treasury/financial_accounts/{treasury_financial_account}",
            action=_REVEAL_ACCOUNT,
            access=Access.READ,
            risk=Risk.HIGH,
            categories=frozenset({Category.FINANCIAL, Category.SECRETS}),
        ),
    )
    return {row.action: row for row in (*Stripe.catalogue(), *further)}


def _further(name: str, params: Mapping[str, Json]) -> Iterator[str]:
    """The names of what a request does beside `name`."""
    for asks, verb in _ASKS_FOR.get(name, ()):
        if asks(params):
            yield verb
    for node in objects(params):
        if is_set(node.get("transfer_data")):
            yield "stripe.transfer.create"
    for wanted in (*elements(params.get("expand")), *elements(params.get("include"))):
        if not isinstance(wanted, str):
            raise OpaqueBody("what is to be expanded is no path")
        for field in wanted.split("."):
            if field in _REVEALED:
                yield _REVEALED[field]


type _Asks = Callable[[Mapping[str, Json]], bool]


def _any_of(*names: str) -> _Asks:
    return lambda params: any(is_set(params.get(name)) for name in names)


def _equals(name: str, value: str) -> _Asks:
    # The case is ignored so that no spelling that the service might take goes unnoticed.
    return lambda params: str(params.get(name, "")).strip().lower() == value


def _drops_an_item(params: Mapping[str, Json]) -> bool:
    return any(is_set(item.get("deleted")) for item in objects({"items": params.get("items")}))


_PAYS_ANOTHER = (_any_of("destination"), "stripe.transfer.create")
_CONFIRMS_PAYMENT = (_any_of("confirm"), "stripe.payment_intent.confirm")
_FINALIZES = (_any_of("auto_advance"), "stripe.invoice.finalize")
_ENDS = (_equals("end_behavior", "cancel"), "stripe.subscription.cancel")
_CHANGES_ACCOUNT = (
    (_any_of("external_account", "bank_account"), "stripe.account_external_account.create"),
    (_any_of("capabilities"), "stripe.account_capability.update"),
)
_CHANGES_CUSTOMER = (
    (_any_of("balance", "account_balance"), "stripe.customer_balance_transaction.create"),
    (_any_of("source", "card"), "stripe.customer_source.create"),
)

# Operations whose parameters make them do what another operation does.
_ASKS_FOR: Mapping[str, Sequence[tuple[_Asks, str]]] = {
    "stripe.account.create": _CHANGES_ACCOUNT,
    "stripe.account.update": _CHANGES_ACCOUNT,
    "stripe.account.update_self": _CHANGES_ACCOUNT,
    "stripe.charge.create": (_PAYS_ANOTHER,),
    "stripe.credit_note.create": ((_any_of("refund_amount"), "stripe.refund.create"),),
    "stripe.customer.create": _CHANGES_CUSTOMER,
    "stripe.customer.update": _CHANGES_CUSTOMER,
    "stripe.invoice.create": (_FINALIZES,),
    "stripe.invoice.update": (_FINALIZES,),
    "stripe.issuing_card.update": ((_equals("status", "canceled"), _CANCEL_CARD),),
    "stripe.payment_intent.create": (_CONFIRMS_PAYMENT,),
    "stripe.product.create": ((_any_of("default_price_data"), "stripe.price.create"),),
    "stripe.setup_intent.create": ((_any_of("confirm"), "stripe.setup_intent.confirm"),),
    "stripe.subscription.update": (
        (_any_of("cancel_at", "cancel_at_period_end"), "stripe.subscription.cancel"),
        (_any_of("pause_collection"), "stripe.subscription.pause"),
        (_drops_an_item, "stripe.subscription_item.delete"),
    ),
    "stripe.subscription_schedule.create": (_ENDS,),
    "stripe.subscription_schedule.update": (_ENDS,),
}


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Stripe]
