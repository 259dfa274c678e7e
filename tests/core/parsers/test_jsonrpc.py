"""JSON-RPC messages, read in one way or not at all."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.jsonrpc import Message, MessageKind, exact_keys, read_messages

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def test_request_is_read() -> None:
    document = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "x"}}
    (message,) = read_messages(encoded(document))
    assert message == Message(
        kind=MessageKind.REQUEST, id="a", method="tools/call", params={"name": "x"}
    )


def test_message_without_an_id_is_a_notification() -> None:
    (message,) = read_messages(b'{"jsonrpc": "2.0", "method": "x", "params": null}')
    assert message == Message(kind=MessageKind.NOTIFICATION, method="x")


@pytest.mark.parametrize(
    ("answer", "ident"), [({"result": {"a": 1}}, 7), ({"error": {"code": 1}}, None)]
)
def test_response_is_read(answer: dict[str, object], ident: int | None) -> None:
    (message,) = read_messages(encoded({"jsonrpc": "2.0", "id": ident, **answer}))
    (value,) = answer.values()
    assert message == Message(kind=MessageKind.RESPONSE, id=ident, answer=value)


def test_every_message_of_a_batch_is_read() -> None:
    messages = read_messages(encoded([PING, {"jsonrpc": "2.0", "method": "x"}]))
    assert [message.method for message in messages] == ["ping", "x"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        [PING] * 101,
        [PING, 1],
        [[PING]],
        "ping",
        None,
        {},
        PING | {"jsonrpc": "1.0"},
        PING | {"jsonrpc": 2.0},
        {"id": 1, "method": "ping"},
        PING | {"method": ""},
        PING | {"method": None},
        PING | {"method": ["ping"]},
        PING | {"params": [1]},
        PING | {"params": "x"},
        PING | {"id": None},
        PING | {"id": True},
        PING | {"id": 1.5},
        PING | {"id": {}},
        PING | {"result": {}},
        PING | {"error": None},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "params": {}},
        {"jsonrpc": "2.0", "id": None, "result": {}},
        {"jsonrpc": "2.0", "result": {}},
        {"jsonrpc": "2.0", "id": 1, "Method": "ping", "result": {}},
        PING | {"Params": {}},
        PING | {"re\u017fult": {}},
    ],
)
def test_what_reads_in_two_ways_is_opaque(document: object) -> None:
    with pytest.raises(OpaqueBody):
        read_messages(encoded(document))


def test_key_given_twice_is_opaque() -> None:
    with pytest.raises(OpaqueBody):
        read_messages(b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/call"}')


def test_key_in_another_case_is_opaque() -> None:
    exact_keys({"name": 1, "other": 2}, frozenset({"name"}))
    with pytest.raises(OpaqueBody):
        exact_keys({"Name": 1}, frozenset({"name"}))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["jsonrpc", "id", "method", "Method", "params", "result", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=60) | _VALUES.map(encoded))
def test_any_bytes_are_read_or_opaque(data: bytes) -> None:
    try:
        messages = read_messages(data)
    except OpaqueBody:
        return
    assert all(message.kind is MessageKind.RESPONSE or message.method for message in messages)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b"[" + b"1," * 300_000 + b"1]",
        b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 1_000_000 + b'"}',
        b'{"jsonrpc":"2.0","id":' + b"1" * 1_000_000 + b',"method":"x"}',
    ],
)
def test_large_input_is_read_at_once(data: bytes) -> None:
    started = time.process_time()
    with suppress(OpaqueBody):
        read_messages(data)
    assert time.process_time() - started < 0.05
