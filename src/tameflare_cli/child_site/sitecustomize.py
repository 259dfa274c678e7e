"""Runs first in every Python program under `tf run`, for libraries with trust anchors of their own.

They ignore `SSL_CERT_FILE` and its like, so they would not trust the gateway; once such a library
is imported, it is pointed at the run's bundle. This file is read by whatever Python the agent uses:
it keeps to what Python 3.6 knows, and imports nothing of ours and nothing slow.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _point_stripe(module: "Any", bundle: str) -> None:
    module.ca_bundle_path = bundle


def _point_certifi(module: "Any", bundle: str) -> None:
    # Most libraries that bring their own anchors mean certifi's.
    module.where = lambda: bundle


_POINTERS = {"stripe": _point_stripe, "certifi": _point_certifi}


class _Pointing:
    """Finds the modules of the table as other finders do, and adds a step behind their own."""

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        pointer = _POINTERS.get(name)
        if pointer is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    self._extend(spec.loader, pointer)
                return spec
        return None

    def _extend(self, loader: "Any", pointer: "Any") -> None:
        execute = loader.exec_module

        def exec_module(module: "Any") -> None:
            execute(module)
            pointer(module, self._bundle)

        loader.exec_module = exec_module


def _run_next() -> None:
    """Run the `sitecustomize` that this one stands in front of, as if it had been found first."""
    # pathlib would be imported for this alone.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    rest = [entry for entry in sys.path if os.path.abspath(entry) != here]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("TAMEFLARE_CA_BUNDLE"):
    sys.meta_path.insert(0, _Pointing(os.environ["TAMEFLARE_CA_BUNDLE"]))
_run_next()
