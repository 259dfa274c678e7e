"""Fuzzes one target with atheris: `python -m tests.fuzz.coverage_guided TARGET [-runs=N …]`.

Bodies that reach new branches of the parsers are kept and changed further; whatever is raised that
is no refusal, or takes too long, ends the process with the input in a file.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["tameflare_core"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    # The first call imports what is imported late, which is no part of what is measured.
    read = TARGETS[name].reader()
    for seed in TARGETS[name].seeds:
        read(seed)
    atheris.Setup([sys.argv[0], *options], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
