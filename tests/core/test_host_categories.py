"""What is said of hosts: all classifiers added up, asked once, and kept to what they declare."""

from __future__ import annotations

import pytest

from tameflare_core.errors import PluginError
from tameflare_core.host_categories import HostCategories, HostClassifier


class Listing(HostClassifier):
    """Gives what it is told to give, and counts how often it is asked."""

    def __init__(self, declared: set[str], given: dict[str, set[str]]) -> None:
        self.categories = frozenset(declared)
        self.given = given
        self.asked: list[str] = []

    def classify(self, host: str) -> frozenset[str]:
        self.asked.append(host)
        return frozenset(self.given.get(host, set()))


def test_categories_of_all_classifiers_are_known() -> None:
    categories = HostCategories((Listing({"a", "b"}, {}), Listing({"b", "c"}, {})))
    assert categories.known == {"a", "b", "c"}


def test_host_has_what_any_classifier_says() -> None:
    categories = HostCategories(
        (Listing({"a"}, {"x.example": {"a"}}), Listing({"a", "b"}, {"x.example": {"b"}}))
    )
    assert categories.of("x.example") == {"a", "b"}
    assert categories.of("y.example") == frozenset()


def test_without_classifiers_nothing_is_known() -> None:
    assert HostCategories().known == frozenset()
    assert HostCategories().of("x.example") == frozenset()


def test_classifier_is_asked_once_about_a_host() -> None:
    listing = Listing({"a"}, {})
    categories = HostCategories((listing,))
    for host in ("x.example", "y.example", "x.example"):
        categories.of(host)
    assert listing.asked == ["x.example", "y.example"]


def test_answers_are_remembered_within_bounds() -> None:
    listing = Listing({"a"}, {})
    categories = HostCategories((listing,))
    for number in range(10_000):
        categories.of(f"{number}.example")
    categories.of("0.example")
    assert listing.asked.count("0.example") == 2


def test_undeclared_category_is_an_error_each_time() -> None:
    categories = HostCategories((Listing({"a"}, {"x.example": {"a", "c", "b"}}),))
    for _ in range(2):
        with pytest.raises(PluginError, match="`Listing` gives `b`, `c`, which its `categories`"):
            categories.of("x.example")


@pytest.mark.parametrize("answer", [None, "tunnel", ["tunnel"], {"tunnel": True}])
def test_answer_that_is_no_set_is_an_error(answer: object) -> None:
    broken = type("Broken", (Listing,), {"classify": lambda self, host: answer})({"tunnel"}, {})
    with pytest.raises(TypeError):
        HostCategories((broken,)).of("x.example")


def test_error_of_a_classifier_comes_out_each_time() -> None:
    def fail(self: object, host: str) -> frozenset[str]:
        raise ZeroDivisionError(host)

    categories = HostCategories((type("Failing", (Listing,), {"classify": fail})({"a"}, {}),))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            categories.of("x.example")
