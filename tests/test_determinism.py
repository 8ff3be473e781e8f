"""The same bytes out for the same input: across processes, numbers of threads, and native and reference kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pixtrim.kernels import BACKEND

SCRIPT = """
import hashlib, json, sys
from pathlib import Path

folder, threads, native = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if native == "blocked":
    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name == "pixtrim._native":
                raise ModuleNotFoundError(name, name=name)
    sys.meta_path.insert(0, Blocker())

from pixtrim import shrink
from pixtrim.kernels import BACKEND
assert BACKEND == ("reference" if native == "blocked" else "native")

for path in sorted(Path(folder).glob("*.png")):
    for model, budget, operator in (
        ("claude-opus-4-7", 700, "auto"),
        ("gpt-5.5", "30%", "fold"),
        ("qwen2.5-vl", 0.25, "resize"),
        ("claude-opus-4-7", "fit", "auto"),
    ):
        shrunk = shrink(path, model, budget, operator, threads=threads)
        report = {**shrunk.report.to_dict(), "seconds": 0}
        whole = shrunk.encode() + shrunk.coordinates.to_json().encode() + json.dumps(report).encode()
        print(path.stem, model, report["operator"], report["width"], hashlib.sha256(whole).hexdigest())
"""

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Shrink the example pictures in a process of its own, and return what came out of it."""
    folder = tmp_path_factory.mktemp("examples")
    command = [sys.executable, "-B", str(repository / "examples" / "make_examples.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)

    def output(threads: int = 1, native: str = "native", seed: str = "0") -> str:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder), str(threads), native],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return output


@pytest.fixture(scope="module")
def expected(run: Run) -> str:
    if BACKEND != "native":
        pytest.skip("the native kernels are not built")
    return run()


def test_something_was_done(expected: str) -> None:
    lines = [line.split() for line in expected.splitlines()]
    assert len(lines) == 20
    assert {line[2] for line in lines} == {"fold", "resize", "none"}
    assert len({line[-1] for line in lines}) == 20


@pytest.mark.parametrize(("threads", "seed"), [(1, "1"), (2, "2"), (5, "random")])
def test_neither_threads_nor_the_seed_of_hashes_change_a_byte(run: Run, expected: str, threads: int, seed: str) -> None:
    assert run(threads, seed=seed) == expected


def test_the_reference_kernels_give_the_same_bytes(run: Run, expected: str) -> None:
    assert run(native="blocked") == expected
