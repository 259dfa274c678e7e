"""Networks: which texts are addresses in them, and what is no network."""

from __future__ import annotations

import pytest

from tameflare_core.policy.networks import Networks
from tameflare_core.policy.problems import Problem, Report


def parsed(document):
    problems: list[Problem] = []
    return Networks.parse(document, Report(problems)), problems


@pytest.mark.parametrize(
    ("networks", "text", "within"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.1", "10.0.0.1", True),
        (["192.0.2.0/24", "2001:db8::/32"], "[2001:db8::1]", True),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
        ("10.0.0.0/8", "::1", False),
        ("2001:db8::/32", "10.0.0.1", False),
        # An IPv4 address in IPv6 clothes is dialled as the IPv4 address.
        ("10.0.0.0/8", "[::ffff:10.0.0.1]", True),
        ("10.0.0.0/8", "[::ffff:11.0.0.1]", False),
        ("10.0.0.0/8", "api.example.com", False),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "2130706433", False),
        ("0.0.0.0/0", "127.1", False),
        ("0.0.0.0/0", "10.0.0.1:443", False),
        ("0.0.0.0/0", "[10.0.0.1", False),
    ],
)
def test_address_is_within_its_networks_only(networks, text, within):
    found, problems = parsed(networks)
    assert not problems
    assert found.contain(text) is within


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("10.0.0.1/8", [((), "`10.0.0.1/8` is an address within a network: write `10.0.0.0/8`")]),
        ("10.0.0.0/33", [((), "`10.0.0.0/33` is not a network like `10.0.0.0/8`")]),
        (10, [((), "`10` is not a network like `10.0.0.0/8`")]),
        ([], [((), "write a list of one network or more")]),
        (
            ["10.0.0.0/8", "x", None],
            [
                ((1,), "`x` is not a network like `10.0.0.0/8`"),
                ((2,), "`None` is not a network like `10.0.0.0/8`"),
            ],
        ),
    ],
)
def test_what_is_no_network_is_reported_in_its_place(document, expected):
    assert parsed(document) == (None, expected)
