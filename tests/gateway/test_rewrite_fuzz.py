"""A short run of the fuzzer of rewrite(), which runs for longer by itself."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_but_images_ever_changes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "fuzz")
    counts, failures = importlib.import_module("fuzz_rewrite").fuzz(seed, range(150))
    assert failures == []
    assert counts.total() == 150
    assert counts["changed"] > 20
