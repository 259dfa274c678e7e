"""What kind of place a host is, in words by which it can be blocked: `paste_site`, `tunnel`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from tameflare_core.errors import PluginError

__all__ = ["HostCategories", "HostClassifier"]

# An agent asks a few hosts again and again; one that asks many is not to fill the memory.
_REMEMBERED = 4096


class HostClassifier(ABC):
    """Tells what kind of place a host is.

    Attributes:
        categories: every name that it may give, like `paste_site`: lower-case words with `_`
            between them. Several classifiers may give the same name, for hosts of their own; the
            categories of actions are not for hosts.
    """

    categories: frozenset[str]

    @abstractmethod
    def classify(self, host: str) -> frozenset[str]:
        """The categories of a host; empty when it has none.

        Called while a request is judged, from any thread: it does no I/O, and gives the same answer
        every time, because answers are remembered. Whatever it raises is a refusal.

        Args:
            host: in its canonical form: a name in lower case and A-labels without a dot at its end,
                four decimal numbers, or an IPv6 address in brackets.
        """


@dataclass(frozen=True, slots=True)
class HostCategories:
    """The categories that some classifiers give to hosts.

    Attributes:
        classifiers: who is asked, all of them for each host.
    """

    classifiers: tuple[HostClassifier, ...] = ()
    _remembered: Callable[[str], frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # What raises is not remembered, and raises again.
        object.__setattr__(self, "_remembered", lru_cache(_REMEMBERED)(self._classified))

    @property
    def known(self) -> frozenset[str]:
        """Every name that can be given."""
        return frozenset().union(*(classifier.categories for classifier in self.classifiers))

    def of(self, host: str) -> frozenset[str]:
        """Everything that the classifiers say of a canonical host.

        Raises:
            PluginError: a classifier gives a name that is not among its `categories`.
        """
        return self._remembered(host)

    def _classified(self, host: str) -> frozenset[str]:
        found: set[str] = set()
        for classifier in self.classifiers:
            told = classifier.classify(host)
            undeclared = ", ".join(f"`{name}`" for name in sorted(told - classifier.categories))
            if undeclared:
                raise PluginError(
                    f"the host classifier `{type(classifier).__qualname__}` gives {undeclared},"
                    " which its `categories` do not name"
                )
            found |= told
        return frozenset(found)
