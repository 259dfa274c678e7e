"""Numbers with units: money, bytes, tokens and spans of time, without binary fractions.

Money is compared in minor units, as payment services count it: 50.00 EUR is 5000. An amount says
nothing without its currency, so it is only compared where the action's `currency` is the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tameflare_core.policy.facts import UNTOLD, Facts, Missing
from tameflare_core.policy.fields import Field, field_named

__all__ = ["Measure", "Number", "Quantity", "in_currency", "number_of", "seconds"]

type Number = int | Decimal

_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_MAX_DECIMAL = 30
# In the largest unit it still is exact in the 28 digits that decimal arithmetic keeps.
_MAX_AMOUNT = 18
_WITH_UNIT = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?) *([A-Za-z]+)")

_BYTES = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# ISO 4217, active codes of money that people pay with.
_CURRENCIES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
    KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED
    VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905  # a table of words
)
# https://docs.stripe.com/currencies#zero-decimal, and ISO 4217 for those with three decimals.
_DECIMALS = {
    code: decimals
    for decimals, codes in (
        (0, "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
    )
    for code in codes.split()
}
# ISO 4217 counts them whole, Stripe in hundredths for the sake of older clients.
_WITHOUT_ONE_MINOR_UNIT = frozenset({"ISK", "UGX"})


def number_of(value: object) -> Number | None:
    """The number that a value is, or that a text spells as a plain decimal of up to 30 characters.

    Returns:
        The exact number; None for everything else, for booleans and for infinity.
    """
    kind = type(value)
    if kind is int:
        return value  # type: ignore[return-value]  # the line above says so
    if isinstance(value, str):
        if len(value) <= _MAX_DECIMAL and _DECIMAL.fullmatch(value):
            return Decimal(value)
        return None
    if isinstance(value, float):
        # Its shortest spelling is what the JSON said.
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return None


def seconds(value: object) -> float:
    """A span of time: `90s`, `15m`, `1h`, `7d`, or a number of seconds.

    Raises:
        ValueError: it is none, or not more than 0.
    """
    number = number_of(value)
    if number is None and isinstance(value, str):
        found = _WITH_UNIT.fullmatch(value)
        if found is not None and len(value) <= _MAX_DECIMAL and found[2] in _SECONDS:
            number = Decimal(found[1]) * _SECONDS[found[2]]
    if number is None:
        raise ValueError(f"`{value}` is not a time like `90s`, `15m`, `1h` or `7d`")
    try:
        result = float(number)
    except OverflowError:
        result = math.inf
    if not 0 < result < math.inf:
        raise ValueError(f"`{value}` is not more than 0 seconds")
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its unit.

    Attributes:
        number: in bytes, minor units of the currency, or as counted.
        unit: `B`, `tokens`, `minor`, a currency's code in upper case; empty for a plain number.
    """

    number: Number
    unit: str = ""

    @classmethod
    def parse(cls, value: object, field: str) -> Quantity:
        """Read a quantity that the field named `field` is compared with.

        Raises:
            ValueError: it is no number, or its unit is none that the field is counted in.
        """
        number = number_of(value)
        if number is not None:
            return cls(number=number)
        found = _WITH_UNIT.fullmatch(value) if isinstance(value, str) else None
        if found is None or len(found[1]) > _MAX_AMOUNT:
            raise ValueError(f"`{value}` is not a number: {_expected(field)}")
        quantity = _in_unit(field, Decimal(found[1]), found[2])
        if quantity is None:
            raise ValueError(f"`{field}` is not counted in `{found[2]}`: {_expected(field)}")
        return quantity

    @classmethod
    def within(cls, text: str, field: str) -> Quantity | None:
        """The quantity that a text with a unit of `field` is; None when it is any other text.

        Raises:
            ValueError: it is an amount of money that cannot be.
        """
        found = _WITH_UNIT.fullmatch(text)
        if found is None or len(found[1]) > _MAX_AMOUNT:
            return None
        return _in_unit(field, Decimal(found[1]), found[2])

    @property
    def currency(self) -> str:
        """The code of the currency; empty when it is no money."""
        return self.unit if self.unit in _CURRENCIES else ""


def _in_unit(field: str, number: Decimal, unit: str) -> Quantity | None:
    if field == "request.body_size":
        return Quantity(number=number * _BYTES[unit], unit="B") if unit in _BYTES else None
    if not field.startswith("params."):
        return None
    if unit == "minor":
        return Quantity(number=number, unit=unit)
    if unit == "tokens":
        return Quantity(number=number, unit=unit) if "token" in field.lower() else None
    code = unit.upper()
    return _money(number, code) if code in _CURRENCIES else None


def _money(number: Decimal, code: str) -> Quantity:
    if code in _WITHOUT_ONE_MINOR_UNIT:
        raise ValueError(
            f"services count `{code}` in different minor units: write the number that the service "
            "takes, like `500 minor`"
        )
    decimals = _DECIMALS.get(code, 2)
    minor = number.scaleb(decimals)
    if minor != minor.to_integral_value():
        raise ValueError(f"`{code}` has {decimals} decimals, and `{number}` has more")
    return Quantity(number=int(minor), unit=code)


def _expected(field: str) -> str:
    if field == "request.body_size":
        return f"write bytes, or a number with one of {', '.join(_BYTES)}"
    if not field.startswith("params."):
        return "write a number without a unit"
    if "token" in field.lower():
        return "write a number, or one like `20000 tokens`"
    return "write a number, or one like `50.00 EUR`, or `5000 minor`"


def in_currency(read: Callable[[Facts], object], code: str) -> Callable[[Facts], object]:
    """Read an amount only where the action's `currency` is `code`.

    Args:
        read: reads the amount.
        code: upper case; empty when the amount is compared without regard to its currency.
    """
    if not code:
        return read

    def read_amount(facts: Facts) -> object:
        value = read(facts)
        if isinstance(value, Missing):
            return value
        currency = facts.action.params.get("currency")
        if isinstance(currency, str) and currency.upper() == code:
            return value
        return UNTOLD

    return read_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a limit sums up: a parameter of the action, or the size of the body.

    Attributes:
        field: where the number is.
    """

    field: Field

    @classmethod
    def parse(cls, text: str) -> Measure:
        """The measure that a limit calls `text`, like `params.amount`.

        Raises:
            ValueError: there is no such field, or it cannot be summed up.
        """
        field = field_named(text)
        if not field.needs_body:
            raise ValueError(
                f"`{text}` cannot be summed up: write `params.NAME` or `request.body_size`"
            )
        return cls(field=field)

    def of(self, facts: Facts, unit: str = "") -> Number | None:
        """What the action adds to the sum.

        Args:
            facts: the action.
            unit: that of the `Quantity` which the sum is compared with.

        Returns:
            A number from 0; None when it is absent, no number, less than 0 (which would make room
            for others), or in another currency.
        """
        code = Quantity(number=0, unit=unit).currency
        number = number_of(in_currency(self.field.read, code)(facts))
        return None if number is None or number < 0 else number
