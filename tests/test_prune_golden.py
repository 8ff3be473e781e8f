"""Kept indices equal to those of the published PixelPrune, recorded by benchmarks/published.py."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixtrim.operators.prune import TokenPicture, Tolerance, select
from pixtrim.pruning import fitted

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "pruned.json").read_text(encoding="utf-8"))
FILES = sorted(name for name in GOLDEN if name.endswith(".png"))
EXAMPLES = sorted(set(GOLDEN) - set(FILES))


@pytest.fixture(scope="module")
def drawn(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("examples")
    subprocess.run([sys.executable, "-B", str(repository / "examples" / "make_examples.py"), str(out)], check=True)
    return out


@cache
def pixels_of(path: Path, fit: str) -> np.ndarray:
    return fitted(path, "qwen3-vl", fit)[1]


def differences(pixels: np.ndarray, runs: list[list[Any]]) -> list[str]:
    """Name the runs in which other tokens are kept."""
    found = []
    for selector, metric, threshold, anchored, share, count, packed in runs:
        picture = TokenPicture(pixels, (32, 32), Tolerance(metric, threshold), anchored, skip_ratio=share)
        sources, _ = select(picture, selector)
        bits = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)
        published = np.unpackbits(bits, count=picture.count).astype(bool)
        assert published.sum() == count
        if not np.array_equal(sources.ravel() == np.arange(picture.count), published):
            found.append(f"{selector} {metric} {threshold} {'anchored' if anchored else 'sliding'} {share}")
    return found


def test_every_selector_metric_threshold_and_mode_is_recorded() -> None:
    assert {"dashboard", "invoice", "letter.png"} <= GOLDEN.keys()
    runs = [tuple(run[:4]) for entry in GOLDEN.values() for run in entry["runs"]]
    assert {run[0] for run in runs} == {"pred_2d", "raster", "serpentine", "conncomp"}
    assert {run[1] for run in runs} == {"max", "mae", "rmse", "exact"}
    assert {run[3] for run in runs} == {True, False}
    assert len({run[2] for run in runs}) > 4


@pytest.mark.parametrize("name", FILES)
def test_pictures_of_the_repository(repository: Path, name: str) -> None:
    pixels = pixels_of(repository / "tests" / "golden" / name, "pad")
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == GOLDEN[name]["pixels"]
    assert differences(pixels, GOLDEN[name]["runs"]) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_pictures(drawn: Path, name: str) -> None:
    pixels = pixels_of(drawn / f"{name}.png", "resize")
    if hashlib.sha256(pixels.tobytes()).hexdigest() != GOLDEN[name]["pixels"]:
        pytest.skip("this Pillow draws or scales the example differently from the one with which it was recorded")
    assert differences(pixels, GOLDEN[name]["runs"]) == []


def test_the_comparison_finds_a_planted_difference(repository: Path) -> None:
    pixels = pixels_of(repository / "tests" / "golden" / "letter.png", "pad").copy()
    pixels[-4:, -4:] ^= 255
    assert differences(pixels, GOLDEN["letter.png"]["runs"]) != []
