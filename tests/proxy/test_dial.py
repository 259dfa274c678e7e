from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from tameflare_core.errors import AddressRefused, UpstreamError
from tameflare_proxy import dial as dial_module
from tameflare_proxy.dial import dial


def dialled(
    host: str,
    port: int,
    answers: Sequence[Sequence[str] | OSError] | None = None,
    *,
    allow_private: bool = True,
    own: Sequence[tuple[str, int]] = (),
) -> tuple[str, int]:
    """Where `dial` got to; names resolve to `answers`, one look-up after another."""
    lookups = iter(answers or ())

    async def resolve(host: object, port: object, **_: object) -> list[object]:
        answer = next(lookups)
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in answer]

    async def run() -> tuple[str, int]:
        if answers is not None:
            asyncio.get_running_loop().getaddrinfo = resolve  # type: ignore[method-assign]
        _, writer = await dial(host, port, allow_private=allow_private, own=own)
        peer: tuple[str, int] = writer.get_extra_info("peername")
        writer.close()
        return peer

    return asyncio.run(run())


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def unused() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_checked_address_is_dialled(listening) -> None:
    assert dialled("name.example", listening, [["127.0.0.1"]]) == ("127.0.0.1", listening)


def test_name_is_resolved_once(listening) -> None:
    # A second look-up would be answered with an address that is never dialled.
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    assert dialled("rebinding.example", listening, answers) == ("127.0.0.1", listening)


def test_next_address_is_tried(listening) -> None:
    answers = [["127.0.0.2", "127.0.0.1"]]
    assert dialled("name.example", listening, answers) == ("127.0.0.1", listening)


def test_few_addresses_are_tried(listening) -> None:
    answers = [[*(f"127.0.1.{last}" for last in range(1, 9)), "127.0.0.1"]]
    with pytest.raises(UpstreamError, match="cannot be reached"):
        dialled("name.example", listening, answers)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.215.14", "10.0.0.1"],
        ["93.184.215.14", "::1"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%eth0"],
    ],
)
def test_one_private_address_refuses_all(addresses, listening) -> None:
    with pytest.raises(AddressRefused):
        dialled("mixed.example", listening, [addresses], allow_private=False)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"],
)
def test_metadata_is_refused_whatever_is_allowed(address, listening) -> None:
    with pytest.raises(AddressRefused, match="metadata"):
        dialled("metadata.example", listening, [["127.0.0.1", address]], allow_private=True)


@pytest.mark.parametrize(
    ("own", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.9.9.9"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "::"),
        ("::1", "::1"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "::ffff:127.0.0.1"),
        ("::", "127.0.0.1"),
        ("::", "::1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_gateway_never_dials_itself(own, address, listening) -> None:
    with pytest.raises(AddressRefused, match="this gateway itself"):
        dialled("self.example", listening, [[address]], own=[(own, listening)])


def test_own_addresses_are_known_to_the_kernel() -> None:
    own = dial_module._plain("127.0.0.1")
    assert dial_module._is_of_this_machine(own)
    assert not dial_module._is_of_this_machine(dial_module._plain("192.0.2.1"))


def test_other_port_of_the_machine_may_be_dialled(listening) -> None:
    own = [("0.0.0.0", listening + 1 if listening < 65535 else 1)]
    assert dialled("localhost", listening, [["127.0.0.1"]], own=own)[1] == listening


def test_unreachable_says_so(unused) -> None:
    with pytest.raises(UpstreamError) as caught:
        dialled("127.0.0.1", unused)
    assert str(caught.value).startswith(f"`127.0.0.1:{unused}` cannot be reached: ")
    assert "refused" in str(caught.value) or "connect call failed" in str(caught.value)


def test_unresolvable_says_so(listening) -> None:
    failure = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with pytest.raises(UpstreamError) as caught:
        dialled("gone.example", listening, [failure])
    assert str(caught.value) == "`gone.example` cannot be resolved: name or service not known"


def test_name_without_address_is_refused(listening) -> None:
    with pytest.raises(AddressRefused, match="no address"):
        dialled("empty.example", listening, [[]])


def test_slow_resolver_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(dial_module, "_RESOLVE_SECONDS", 0.01)

    async def run() -> None:
        async def never(*_: object, **__: object) -> list[object]:
            await asyncio.Event().wait()
            return []

        asyncio.get_running_loop().getaddrinfo = never  # type: ignore[method-assign]
        await dial("slow.example", 443, allow_private=False)

    with pytest.raises(UpstreamError, match="no answer in time"):
        asyncio.run(run())
