"""The example that fine-tunes a small model, as a user runs it."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pictures import page
from PIL import Image

pytest.importorskip("accelerate")


@pytest.fixture
def finetune(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = Path(__file__).resolve().parents[2] / "examples"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("finetune", folder / "finetune.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(pattern: str, text: str) -> list[float]:
    found = re.search(pattern, text)
    assert found is not None, text
    return [float(number.replace(",", "")) for number in found.groups()]


def test_a_small_model_learns_from_a_folder_and_is_trained_on(
    finetune: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (0, 1):
        Image.fromarray(page(320, 256, seed)).save(tmp_path / f"{seed}.png")
    lines = [{"image": f"{seed}.png", "question": "which?", "answer": f"page {seed}"} for seed in (0, 1)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    common = ["--pictures", str(tmp_path), "--tokens", "60", "--out", str(tmp_path / "out")]
    assert finetune.main([*common, "--steps", "4"]) == 0
    said = capsys.readouterr().out
    assert "a small Qwen3-VL with random weights is made" in said
    before, after = numbers(r"examples: ([\d.]+) before, ([\d.]+) after 4 steps", said)
    assert after < before
    whole, kept = (numbers(rf"{name} +([\d,]+) +([\d,]+) +[\d.]+", said) for name in ("whole pictures", "kept tokens"))
    assert (whole[0] > kept[0], whole[1] > kept[1]) == (True, True)
    assert finetune.main([*common, "--steps", "1", "--model", str(tmp_path / "out")]) == 0
    assert numbers(r"examples: ([\d.]+) before", capsys.readouterr().out)[0] == pytest.approx(after, abs=2e-3)


def test_the_drawn_examples_say_what_the_dashboard_shows(finetune: ModuleType) -> None:
    examples = finetune.drawn()
    text = finetune.dashboard().text
    assert len(examples) == 11
    for example in examples:
        assert example["messages"][1]["content"][0]["text"] in text
        assert np.asarray(example["images"][0]).shape == (1080, 1920, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--pictures", "nowhere"], 2, "nowhere"),
        (["--threshold", "300"], 2, "threshold is 300"),
    ],
)
def test_mistakes_are_told_in_one_line(
    finetune: ModuleType, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune.main(arguments) == code
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_numbers_below_one_are_bad_usage(finetune: ModuleType) -> None:
    with pytest.raises(SystemExit, match="2"):
        finetune.main(["--steps", "0"])
