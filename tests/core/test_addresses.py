from __future__ import annotations

import pytest

from tameflare_core.addresses import permitted
from tameflare_core.errors import AddressRefused

NOT_PUBLIC = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.127.255.255": "carrier-grade NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.1.1": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "reserved",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "IPv4-compatible",
    "::808:808": "IPv4-compatible",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.1.2.3": "private",
    "::ffff:100.64.0.1": "carrier-grade NAT",
    "::ffff:0:8.8.8.8": "reserved",
    "64:ff9b::7f00:1": "loopback",
    "64:ff9b::a00:1": "private",
    "64:ff9b:1::808:808": "local NAT64",
    "100::1": "reserved",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo",
    "2001:2::1": "benchmarking",
    "2001:20::1": "reserved",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4",
    "2002:808:808::1": "6to4",
    "3fff::1": "documentation",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "fc00::1": "private",
    "fd12:3456::1": "private",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
}

METADATA = [
    "169.254.169.254",
    "169.254.169.253",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    # 169.254.169.254 in every form that a kernel or a router may turn back into it
    "::ffff:a9fe:a9fe",
    "::a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1:0:a9:fea9:fe00:0",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::",
    "2001:0:808:808:0:0:5601:5601",
]

PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "2001:4860:4860::8888",
]


@pytest.mark.parametrize(("address", "what"), NOT_PUBLIC.items())
def test_address_that_is_not_public_is_refused(address: str, what: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        permitted([address], host="evil.example", allow_private=False)
    message = str(refused.value)
    assert "`evil.example`" in message
    assert f"({what})" in message
    assert "`allow_private_network: true`" in message


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_private_network_permits_what_is_not_public(address: str) -> None:
    assert len(permitted([address], host="crm.internal", allow_private=True)) == 1


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("address", METADATA)
def test_metadata_service_is_always_refused(address: str, allow_private: bool) -> None:
    with pytest.raises(AddressRefused, match="cloud metadata service, which is never dialled"):
        permitted([address], host="metadata.example", allow_private=allow_private)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_permitted(address: str) -> None:
    assert permitted([address], host="api.example", allow_private=False) == [address]


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_address_in_ipv6_form_is_permitted(address: str) -> None:
    assert len(permitted([address], host="api.example", allow_private=False)) == 1


@pytest.mark.parametrize("position", [0, 1, 2])
def test_mixed_answer_is_refused(position: int) -> None:
    addresses = ["1.1.1.1", "2606:4700::1111"]
    addresses.insert(position, "10.0.0.1")
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        permitted(addresses, host="rebinding.example", allow_private=False)


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("address", ["fe80::1%eth0", "2606:4700::1111%1"])
def test_address_with_zone_is_refused(address: str, allow_private: bool) -> None:
    with pytest.raises(AddressRefused, match="zone"):
        permitted([address], host="zone.example", allow_private=allow_private)


@pytest.mark.parametrize(
    "address", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "", "[::1]"]
)
def test_text_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match="not an address"):
        permitted([address], host="odd.example", allow_private=True)


def test_name_without_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match=r"`empty\.example` has no address"):
        permitted([], host="empty.example", allow_private=True)


def test_order_stays_and_repetitions_go() -> None:
    answer = ["2606:4700::1111", "1.1.1.1", "2606:4700:0::1111", "1.1.1.1"]
    permitted_ones = permitted(answer, host="api.example", allow_private=False)
    assert permitted_ones == ["2606:4700::1111", "1.1.1.1"]
