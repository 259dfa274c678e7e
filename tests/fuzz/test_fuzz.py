"""No body makes a connector do anything but name actions or refuse, and none takes it 50 ms."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
RUNS = 4_000


@pytest.mark.parametrize("name", TARGETS)
def test_seed_is_named_or_refused(name: str) -> None:
    read = TARGETS[name].reader()
    for seed in TARGETS[name].seeds:
        read(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_body_is_named_or_refused(name: str) -> None:
    read = TARGETS[name].reader()
    seeds = st.sampled_from(TARGETS[name].seeds)
    # A piece of one seed, anything, a piece of another.
    pieces = st.tuples(
        seeds, st.integers(0, 200), st.binary(max_size=40), seeds, st.integers(0, 200)
    )

    @settings(max_examples=150, deadline=None)
    @given(pieces)
    def check(parts: tuple[bytes, int, bytes, bytes, int]) -> None:
        first, until, middle, second, start = parts
        read(first[:until] + middle + second[start:])

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_guided_search_finds_no_failure(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris has no wheel for this system")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for index, seed in enumerate(TARGETS[name].seeds):
        (corpus / f"seed-{index}").write_bytes(seed)
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "tests.fuzz.coverage_guided", name),
            *(
                f"-runs={RUNS}",
                "-max_len=4096",
                "-max_total_time=20",
                f"-artifact_prefix={tmp_path}/",
            ),
            str(corpus),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Inputs that reach something new are kept; none would mean that nothing was watched.
    assert len(list(corpus.iterdir())) > len(TARGETS[name].seeds)
