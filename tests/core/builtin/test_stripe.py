"""Stripe: what each request is called, and what its parameters say."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from importlib.resources import files

import pytest
import stripe

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.stripe import Stripe
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.route_table import read_catalogue
from tameflare_core.request import Body, OutboundRequest
from tests.standin import Standin

CONNECTOR = Stripe(ConnectorSettings(id="stripe"))
CATALOGUE = read_catalogue(
    files("tameflare_core.builtin").joinpath("catalogs/stripe.tsv").read_text("utf-8")
)
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def request(
    method: str,
    path: str,
    body: bytes | Body = b"",
    content_type: str = "",
    headers: Sequence[tuple[str, str]] = (),
    host: str = "api.stripe.com",
) -> OutboundRequest:
    default = JSON if path.startswith("/v2/") else FORM
    return OutboundRequest.from_url(
        method,
        f"https://{host}{path}",
        headers=[("Content-Type", content_type or default), *headers],
        body=body if isinstance(body, Body) else Body.complete(body),
    )


def parsed(method: str, path: str, body: bytes | object = b"") -> Sequence[Action]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CONNECTOR.parse(request(method, path, data))


def names(method: str, path: str, body: bytes | object = b"") -> list[str]:
    return [action.name.removeprefix("stripe.") for action in parsed(method, path, body)]


# The catalogue


def test_access_risk_and_categories_make_sense() -> None:
    trivial = {"core_event_destination.ping", "test_confirmation_token.create"}
    trivial |= {"test_money_management_recipient_verification.create"}
    for row in CATALOGUE:
        if row.method == "DELETE" and row.action != "stripe.ephemeral_key.delete":
            assert Category.DESTRUCTIVE in row.categories, row
        if row.method == "GET" and row.action != "stripe.oauth.authorize":
            assert row.access is Access.READ, row
        if row.method != "GET" and row.action != "stripe.invoice.create_preview":
            assert row.access is Access.WRITE, row
        if row.access is Access.READ:
            assert Category.DESTRUCTIVE not in row.categories, row
            assert row.risk is not Risk.CRITICAL, row
        elif row.risk is Risk.LOW:
            assert row.action.removeprefix("stripe.") in trivial, row


@pytest.mark.parametrize(
    "name",
    [
        "charge.create",
        "payment_intent.create",
        "payment_intent.confirm",
        "payment_intent.capture",
        "refund.create",
        "payout.create",
        "transfer.create",
        "topup.create",
        "invoice.pay",
        "subscription.create",
        "treasury_outbound_payment.create",
        "treasury_outbound_transfer.create",
        "money_management_outbound_payment.create",
        "account_external_account.create",
    ],
)
def test_what_moves_money_is_financial_and_high(name: str) -> None:
    rows = [row for row in CATALOGUE if row.action == f"stripe.{name}"]
    assert rows
    for row in rows:
        assert Category.FINANCIAL in row.categories
        assert row.risk in {Risk.HIGH, Risk.CRITICAL}


@pytest.mark.parametrize(
    "host",
    ["api.stripe.com", "files.stripe.com", "connect.stripe.com", "meter-events.stripe.com"],
)
def test_operation_has_one_name_on_every_host(host: str) -> None:
    (action,) = CONNECTOR.parse(request("POST", "/v1/refunds", host=host))
    assert action.name == "stripe.refund.create"
    assert host in {origin.host for origin in CONNECTOR.origins}


def test_base_url_replaces_the_hosts() -> None:
    base = BaseUrl.parse("https://pay.example/stripe")
    mock = Stripe(ConnectorSettings(id="s", base_url=base))
    (action,) = mock.parse(request("POST", "/stripe/v1/refunds", host="pay.example"))
    assert action.name == "stripe.refund.create"
    assert [origin.host for origin in mock.origins] == ["pay.example"]


@pytest.mark.parametrize(
    "path",
    ["/V1/refunds", "/v1/Refunds", "/v1/refunds.json", "/v1/refunds;x", "/v1/refunds%20"],
)
def test_disguised_path_is_refused(path: str) -> None:
    with pytest.raises(RequestRejected):
        parsed("POST", path)


@pytest.mark.parametrize("value", ["cus_1.json", "cus_1;x", "cus_1%23", "%20cus_1", "cus_1."])
def test_decorated_id_is_refused(value: str) -> None:
    with pytest.raises(RequestRejected):
        parsed("DELETE", f"/v1/customers/{value}")


def test_slash_at_the_end_changes_nothing() -> None:
    assert names("POST", "/v1/refunds/") == ["refund.create"]


def test_unknown_path_is_unmapped() -> None:
    assert names("POST", "/v1/nothing") == ["unmapped.post"]
    assert names("PUT", "/v1/refunds") == ["unmapped.put"]


# What parameters add to the name


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/v1/payment_intents", b"confirm=false", ["payment_intent.create"]),
        ("POST", "/v1/payment_intents", b"confirm=", ["payment_intent.create"]),
        (
            "POST",
            "/v1/payment_intents",
            b"%63onfirm=true",
            ["payment_intent.create", "payment_intent.confirm"],
        ),
        (
            "POST",
            "/v1/payment_intents?confirm=true",
            b"amount=1",
            ["payment_intent.create", "payment_intent.confirm"],
        ),
        (
            "POST",
            "/v1/payment_intents",
            b"transfer_data[destination]=acct_1",
            ["payment_intent.create", "transfer.create"],
        ),
        (
            "POST",
            "/v1/checkout/sessions",
            b"payment_intent_data[transfer_data][destination]=acct_1",
            ["checkout_session.create", "transfer.create"],
        ),
        ("POST", "/v1/invoices/in_1", b"transfer_data=", ["invoice.update"]),
        ("POST", "/v1/customers", b"metadata[transfer_data]=x", ["customer.create"]),
        ("POST", "/v1/charges", b"destination=acct_1", ["charge.create", "transfer.create"]),
        (
            "POST",
            "/v1/subscriptions/sub_1",
            b"cancel_at_period_end=true",
            ["subscription.update", "subscription.cancel"],
        ),
        (
            "POST",
            "/v1/subscriptions/sub_1",
            b"cancel_at=1",
            ["subscription.update", "subscription.cancel"],
        ),
        (
            "POST",
            "/v1/customers/cus_1/subscriptions/sub_1",
            b"items[0][deleted]=true&pause_collection[behavior]=void",
            ["subscription.update", "subscription.pause", "subscription_item.delete"],
        ),
        (
            "POST",
            "/v1/subscription_schedules/s_1",
            b"end_behavior=cancel",
            ["subscription_schedule.update", "subscription.cancel"],
        ),
        ("POST", "/v1/invoices", b"auto_advance=true", ["invoice.create", "invoice.finalize"]),
        ("POST", "/v1/invoices", b"auto_advance=false", ["invoice.create"]),
        ("POST", "/v1/credit_notes", b"refund_amount=5", ["credit_note.create", "refund.create"]),
        (
            "POST",
            "/v1/customers/cus_1",
            b"balance=-500",
            ["customer.update", "customer_balance_transaction.create"],
        ),
        (
            "POST",
            "/v1/accounts/acct_1",
            b"external_account=btok_1",
            ["account.update", "account_external_account.create"],
        ),
        (
            "POST",
            "/v1/issuing/cards/ic_1",
            b"status=canceled",
            ["issuing_card.update", "issuing_card.cancel"],
        ),
        ("POST", "/v1/issuing/cards/ic_1", b"status=inactive", ["issuing_card.update"]),
        (
            "GET",
            "/v1/issuing/cards/ic_1?expand[]=number&expand[]=cvc",
            b"",
            ["issuing_card.get", "issuing_card.reveal_number"],
        ),
        (
            "GET",
            "/v1/issuing/authorizations?expand%5B0%5D=data.card.number",
            b"",
            ["issuing_authorization.list", "issuing_card.reveal_number"],
        ),
        (
            "GET",
            "/v1/treasury/financial_accounts/fa_1?expand[]=financial_addresses.aba.account_number",
            b"",
            ["treasury_financial_account.get", "bank_account.reveal_number"],
        ),
        ("GET", "/v1/charges?expand[]=data.customer", b"", ["charge.list"]),
    ],
)
def test_parameters_add_what_they_ask_for(
    method: str, path: str, body: bytes, expected: list[str]
) -> None:
    assert names(method, path, body) == expected


def test_added_action_has_its_own_risk() -> None:
    _, cancel = parsed("POST", "/v1/subscriptions/sub_1", b"cancel_at_period_end=true")
    assert (cancel.access, cancel.risk) == (Access.WRITE, Risk.HIGH)
    assert Category.DESTRUCTIVE in cancel.categories
    assert cancel.resource == {"subscription": "sub_1"}


# Amounts and other parameters

BASKET = (
    b"line_items[0][price_data][unit_amount]=500&line_items[0][quantity]=3"
    b"&line_items[1][price_data][unit_amount]=10&line_items[1][quantity]=1"
    b"&line_items[0][price_data][currency]=usd&line_items[1][price_data][currency]=usd"
)


@pytest.mark.parametrize(
    ("path", "body", "amount", "currency"),
    [
        ("/v1/charges", b"amount=2000&currency=USD", 2000, "usd"),
        ("/v1/payment_intents/pi_1/capture", b"amount_to_capture=7", 7, None),
        ("/v1/prices", b"unit_amount=5&currency=eur", 5, "eur"),
        ("/v1/prices", b"unit_amount_decimal=5.01&currency=eur", 6, "eur"),
        ("/v1/customers/cus_1/balance_transactions", b"amount=-900&currency=usd", 900, "usd"),
        ("/v1/transfers?amount=3", b"currency=usd", 3, "usd"),
        # The largest one counts, and lists are added up.
        ("/v1/payment_intents", b"amount=9&application_fee_amount=2", 9, None),
        (
            "/v1/checkout/sessions",
            BASKET,
            1510,
            "usd",
        ),
        ("/v1/invoiceitems", b"unit_amount_decimal=0.51&quantity=10", 6, None),
        ("/v1/charges", b"currency=usd&transfer_data[currency]=eur", None, "eur,usd"),
        ("/v1/refunds", b"charge=ch_1", None, None),
        ("/v1/refunds", b"charge=ch_1&metadata[amount]=5", None, None),
        (
            "/v2/money_management/outbound_payments",
            {"amount": {"value": 1000, "currency": "usd"}},
            1000,
            "usd",
        ),
        (
            "/v2/money_management/outbound_payments",
            {"amount": {"value": "1000", "currency": "usd"}},
            1000,
            "usd",
        ),
    ],
)
def test_amount_and_currency_are_found(
    path: str, body: bytes | object, amount: int | None, currency: str | None
) -> None:
    action = parsed("POST", path, body)[0]
    assert action.params.get("amount") == amount
    assert action.params.get("currency") == currency


@pytest.mark.parametrize(
    "body",
    [
        b"amount=007",
        b"amount=1e3",
        b"amount=1_000",
        b"amount=%2B5",
        b"amount=+5",
        b"amount=0x10",
        b"amount=5.0",
        b"amount=ten",
        "amount=\u0665".encode(),
        b"amount=9999999999999999",
        b"amount[]=5",
        b"amount[0]=5",
        b"amount=1&amount=99999",
        b"amount=1&Amount=99999",
        b"amount=1&amount[value]=5",
        b"amount=1;amount=5",
        b"line_items[0][quantity]=1e3",
        b"transfer_data[amount]=1e3",
        b"currency=us$",
        b"currency[]=usd",
    ],
)
def test_number_in_two_readings_is_opaque(body: bytes) -> None:
    with pytest.raises(OpaqueBody):
        parsed("POST", "/v1/charges", body)


def test_parameters_have_their_kinds() -> None:
    (action,) = parsed(
        "GET", "/v1/charges?limit=3&customer=cus_1&created[gte]=5&expand[]=data.invoice"
    )
    assert action.params == {"limit": 3, "customer": "cus_1"}
    assert action.resource == {"customer": "cus_1"}
    (action,) = parsed(
        "POST",
        "/v1/subscriptions",
        b"customer=cus_1&items[0][price]=price_1&items[0][quantity]=2&off_session=true",
    )
    assert action.params == {
        "customer": "cus_1",
        "items": [{"price": "price_1", "quantity": 2}],
        "off_session": True,
    }


def test_card_data_and_metadata_are_not_shown() -> None:
    body = b"type=card&card[number]=4242424242424242&card[cvc]=123&metadata[note]=hidden"
    (action,) = parsed("POST", "/v1/payment_methods", body)
    assert action.params == {"type": "card"}


# What a request acts on


@pytest.mark.parametrize(
    ("path", "body", "resource"),
    [
        ("/v1/refunds", b"charge=ch_1", {"charge": "ch_1"}),
        ("/v1/refunds?payment_intent=pi_1", b"", {"payment_intent": "pi_1"}),
        ("/v1/payment_intents/pi_1/confirm", b"", {"payment_intent": "pi_1"}),
        (
            "/v1/payment_methods/pm_1/attach",
            b"customer=cus_1",
            {"payment_method": "pm_1", "customer": "cus_1"},
        ),
        ("/v1/account_links", b"account=acct_5", {"account": "acct_5"}),
        ("/oauth/deauthorize", b"client_id=ca_1&stripe_user_id=acct_5", {"account": "acct_5"}),
    ],
)
def test_resource_is_named_alike_in_path_and_body(
    path: str, body: bytes, resource: dict[str, str]
) -> None:
    (action,) = parsed("POST", path, body)
    assert action.resource == resource
    assert action.resource_complete


@pytest.mark.parametrize(
    ("headers", "resource"),
    [
        ([("Stripe-Account", "acct_7")], {"account": "acct_7"}),
        ([("Stripe-Context", "acct_7")], {"account": "acct_7", "context": "acct_7"}),
        ([("Stripe-Context", "org_1/acct_7")], {"account": "acct_7", "context": "org_1/acct_7"}),
    ],
)
def test_connected_account_is_a_resource(
    headers: list[tuple[str, str]], resource: dict[str, str]
) -> None:
    (action,) = CONNECTOR.parse(request("POST", "/v1/charges", headers=headers))
    assert action.resource == resource
    assert action.resource.keys() <= CONNECTOR.resource_fields


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/charges", [("Stripe-Account", "acct_1"), ("Stripe-Account", "acct_2")]),
        ("/v1/charges", [("Stripe-Account", "acct_1, acct_2")]),
        ("/v1/charges", [("Stripe-Account", "acct_1"), ("Stripe-Context", "acct_2")]),
        ("/v1/accounts/acct_1", [("Stripe-Account", "acct_2")]),
        ("/v1/charges", [("Stripe-Context", "acct_1/")]),
    ],
)
def test_two_accounts_are_refused(path: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestRejected):
        CONNECTOR.parse(request("POST", path, headers=headers))


def test_other_customer_than_the_path_names_is_refused() -> None:
    with pytest.raises(RequestRejected):
        parsed("POST", "/v1/customers/cus_1/sources", b"customer=cus_2")


# Query against body


def test_query_and_body_may_say_the_same() -> None:
    (action,) = parsed("POST", "/v1/charges?amount=5", b"amount=5")
    assert action.params["amount"] == 5


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/charges?amount=5", b"amount=6"),
        ("/v1/charges?amount=5&amount=6", b""),
        ("/v1/charges?transfer_data[amount]=5", b"transfer_data[destination]=acct_1"),
        ("/v1/charges?amount=%", b""),
        ("/v2/core/accounts?amount=5", {"amount": 5}),
    ],
)
def test_query_with_two_readings_is_refused(path: str, body: bytes | object) -> None:
    with pytest.raises(RequestRejected):
        parsed("POST", path, body)


# Kinds of bodies


@pytest.mark.parametrize("content_type", [FORM, FORM.upper(), f"{FORM}; charset=UTF-8", " "])
def test_form_is_read_whatever_spells_its_type(content_type: str) -> None:
    (action,) = CONNECTOR.parse(request("POST", "/v1/charges", b"amount=5", content_type))
    assert action.params["amount"] == 5


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/v1/charges", JSON, b'{"amount": 5}'),
        ("/v1/charges", "text/plain", b"amount=5"),
        ("/v1/charges", "multipart/form-data; boundary=x", b"--x--"),
        ("/v1/charges", f"{FORM}; charset=utf-16", b"amount=5"),
        ("/v1/charges", f"{FORM}, {JSON}", b"amount=5"),
        ("/v2/core/accounts", FORM, b"amount=5"),
        ("/v2/core/accounts", " ", b"{}"),
        ("/v2/core/accounts", f"{JSON}; charset=utf-16", b"{}"),
        ("/v2/core/accounts", JSON, b"[]"),
        ("/v2/core/accounts", JSON, b'{"a": 1, "a": 2}'),
        ("/v2/core/accounts", JSON, b'{"Amount": {"value": 1}}'),
        ("/v2/core/accounts", JSON, b'{"amount": {"value": 1.5}}'),
        ("/v2/core/accounts", JSON, b'{"a":' * 5000 + b"1" + b"}" * 5000),
        ("/v1/charges", FORM, Body.oversize()),
        ("/v1/charges", FORM, Body.unread()),
        ("/v2/core/accounts", JSON, Body.oversize()),
    ],
)
def test_body_that_cannot_be_read_is_opaque(
    path: str, content_type: str, body: bytes | Body
) -> None:
    with pytest.raises(OpaqueBody):
        CONNECTOR.parse(request("POST", path, body, content_type))


def test_upload_is_named_without_its_body() -> None:
    upload = request(
        "POST",
        "/v1/files",
        Body.unread(),
        "multipart/form-data; boundary=x",
        (),
        "files.stripe.com",
    )
    assert not CONNECTOR.needs_body(upload)
    assert not CONNECTOR.takes_method_from_body(upload)
    (action,) = CONNECTOR.parse(upload.with_body(Body.oversize()))
    assert action.name == "stripe.file.create"
    assert not action.params_complete


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/charges"), ("DELETE", "/v1/customers/cus_1")]
)
def test_body_is_asked_for_elsewhere(method: str, path: str) -> None:
    sent = request(method, path, Body.unread(), "multipart/form-data; boundary=x")
    assert CONNECTOR.needs_body(sent)
    assert CONNECTOR.takes_method_from_body(sent)


def test_stream_of_meter_events_gets_no_credential() -> None:
    stream = request("POST", "/v2/billing/meter_event_stream", host="meter-events.stripe.com")
    assert CONNECTOR.placement_for(stream, Stripe.placement) is None
    other = request("POST", "/v2/billing/meter_event_session")
    assert CONNECTOR.placement_for(other, Stripe.placement) is Stripe.placement


# The real client


@pytest.mark.parametrize(
    ("call", "expected", "params"),
    [
        (
            lambda client: client.v1.charges.create(
                {
                    "amount": 2000,
                    "currency": "usd",
                    "source": "tok_visa",
                    "description": "a b&c=d;e",
                    "metadata": {"order id": "é"},
                }
            ),
            ["charge.create"],
            {
                "amount": 2000,
                "currency": "usd",
                "source": "tok_visa",
                "description": "a b&c=d;e",
            },
        ),
        (
            lambda client: client.v1.refunds.create({"charge": "ch_1", "amount": 5}),
            ["refund.create"],
            {"charge": "ch_1", "amount": 5},
        ),
        (
            lambda client: client.v1.customers.list(
                {"limit": 3, "created": {"gte": 5}, "expand": ["data.default_source"]}
            ),
            ["customer.list"],
            {"limit": 3},
        ),
        (
            lambda client: client.v1.payment_intents.create(
                {
                    "amount": 9,
                    "currency": "usd",
                    "confirm": True,
                    "payment_method_types": ["card", "link"],
                    "transfer_data": {"destination": "acct_9", "amount": 4},
                }
            ),
            ["payment_intent.create", "payment_intent.confirm", "transfer.create"],
            {
                "amount": 9,
                "currency": "usd",
                "confirm": True,
                "transfer_data": {"destination": "acct_9", "amount": 4},
            },
        ),
        (
            lambda client: client.v1.subscriptions.cancel("sub_1", {"invoice_now": True}),
            ["subscription.cancel"],
            {},
        ),
        (
            lambda client: client.v1.issuing.cards.retrieve("ic_1", {"expand": ["number"]}),
            ["issuing_card.get", "issuing_card.reveal_number"],
            {},
        ),
        (
            lambda client: client.v1.files.create(
                {"purpose": "dispute_evidence", "file": io.BytesIO(b"evidence")}
            ),
            ["file.create"],
            {},
        ),
        (
            lambda client: client.v2.money_management.outbound_payments.create(
                {
                    "amount": {"value": 1000, "currency": "usd"},
                    "from": {"financial_account": "fa_1", "currency": "usd"},
                    "to": {"recipient": "acct_2"},
                }
            ),
            ["money_management_outbound_payment.create"],
            {
                "amount": 1000,
                "currency": "usd",
                "from": {"financial_account": "fa_1", "currency": "usd"},
                "to": {"recipient": "acct_2"},
            },
        ),
    ],
)
def test_request_of_the_real_client_has_its_name(
    start_standin: Callable[..., Standin],
    call: Callable[[stripe.StripeClient], object],
    expected: list[str],
    params: dict[str, object],
) -> None:
    standin = start_standin(tls=False)
    client = stripe.StripeClient(
        "sk_test_placeholder",
        base_addresses={"api": standin.url, "files": standin.url},
        max_network_retries=0,
    )
    call(client)
    (sent,) = standin.requests
    connector = Stripe(ConnectorSettings(id="s", base_url=BaseUrl.parse(standin.url)))
    actions = connector.parse(
        OutboundRequest.from_url(
            sent.method,
            standin.url + sent.target,
            headers=sent.headers,
            body=Body.complete(sent.body),
        )
    )
    assert [action.name.removeprefix("stripe.") for action in actions] == expected
    assert actions[0].params == params


@pytest.mark.parametrize("key", ["items[0]", "items[a]", "items[0][b]", "items"])
def test_item_is_dropped_however_the_list_is_spelled(key: str) -> None:
    body = f"{key}[deleted]=true".encode()
    assert "subscription_item.delete" in names("POST", "/v1/subscriptions/sub_1", body)


@pytest.mark.parametrize(
    "data", [b'{"x": [' + b"{}," * 5_000 + b"{}]}", b'{"x": "' + b"a" * 2**20 + b'"}']
)
def test_json_of_many_objects_or_bytes_is_opaque(data: bytes) -> None:
    with pytest.raises(OpaqueBody):
        parsed("POST", "/v2/core/accounts", data)


@pytest.mark.parametrize(
    ("path", "body", "complete"),
    [
        ("/v1/charges", b"amount=5&currency=eur&metadata[a]=1&description=", True),
        ("/v1/charges", b"amount=5&source[object]=card&source[number]=4242", False),
        ("/v1/charges", b"description[a]=b", False),
        ("/v1/charges", b"customer[]=cus_1", False),
        ("/v1/payment_intents", b"transfer_data[destination]=acct_1", True),
        ("/v1/payment_intents", b"transfer_data[destination]=acct_1&transfer_data[x]=1", False),
        ("/v1/payment_intents", b"transfer_data=acct_1", False),
        ("/v1/checkout/sessions", b"line_items[0][price_data][currency]=eur", True),
        ("/v1/webhook_endpoints", b"url=https://a.example&enabled_events[]=a", True),
        ("/v1/webhook_endpoints", b"enabled_events[][a]=b", None),
        ("/v1/webhook_endpoints", b"enabled_events[a][b]=c", False),
        ("/v2/core/accounts", {"description": 7}, False),
        ("/v2/core/accounts", {"amount": {"value": 7, "currency": "eur"}}, True),
        ("/v2/core/accounts", {"unit_amount": {"value": 7}}, False),
    ],
)
def test_parameter_that_is_not_shown_is_said_to_be_missing(
    path: str, body: bytes | object, complete: bool | None
) -> None:
    if complete is None:
        with pytest.raises(OpaqueBody):
            parsed("POST", path, body)
        return
    action, *_ = parsed("POST", path, body)
    assert action.params_complete is complete
    assert action.params.keys() <= CONNECTOR.param_fields


@pytest.mark.parametrize("name", ["Amount", "CURRENCY", "Description", "unit_Amount_decimal"])
def test_parameter_in_another_case_is_opaque(name: str) -> None:
    for path, body in (
        ("/v1/charges", f"{name}=5".encode()),
        (f"/v1/charges?{name}=5", b""),
        ("/v2/core/accounts", {name: 5}),
    ):
        with pytest.raises(OpaqueBody, match="case only"):
            parsed("POST", path, body)
