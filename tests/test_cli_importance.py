"""`pixtrim importance`, and what `pixtrim shrink` does with a source of importance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixtrim.cli import main
from pixtrim.importance import importance_of, source_names

SIZE = (300, 220)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    pixels = 120 + rng.normal(0, 9, (SIZE[1], SIZE[0], 3))
    pixels[60:140, 180:260] += rng.normal(0, 60, (80, 80, 3))
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save("photo.png")
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def report(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code, out, err = shown(capsys, *words, "--json")
    assert (code, err) == (0, "")
    (line,) = out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_heat_map_and_the_map_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys, "importance", "photo.png", "--source", "gradient", "--array")
    assert (found["picture"], found["array"]) == ("photo.importance.png", "photo.importance.npy")
    assert (found["width"], found["height"], found["source"]) == (*SIZE, "gradient")
    importance = np.load(found["array"])
    assert (importance.dtype, importance.shape) == (np.float32, SIZE[::-1])
    pixels = np.asarray(Image.open("photo.png").convert("RGB"))
    np.testing.assert_array_equal(importance, importance_of(pixels, "gradient"))
    assert found["mean"] == pytest.approx(float(importance.mean()), abs=1e-4)
    with Image.open(found["picture"]) as picture:
        assert picture.width > SIZE[0]


def test_faded_keeps_a_share_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "importance", "photo.png", "-s", "gradient", "-o", "heat.png")[0] == 0
    code, out, _ = shown(capsys, "importance", "photo.png", "-s", "gradient", "--faded", "10%", "-o", "faded.png")
    assert code == 0
    assert "confidence" in out
    assert Path("heat.png").read_bytes() != Path("faded.png").read_bytes()


def test_the_sources_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, "importance", "--list")
    assert code == 0
    assert all(name in out for name in source_names())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no input: name a file"),
        (("photo.png", "--list"), "--list takes no inputs"),
        (("photo.png", "--source", "nobody"), "importance is 'nobody': choose from"),
        (("photo.png", "--faded", "200%"), "is not a percentage from 0 to 100"),
        (("photo.png", "-o", "photo.png"), "is the input"),
        (("photo.png", "-o", "map.txt"), "name a picture"),
        (("photo.png", "--source", "mask:absent.png"), "absent.png"),
    ],
)
def test_wrong_usage_is_told_before_any_work(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    before = sorted(here.iterdir())
    code, out, err = shown(capsys, "importance", *words)
    assert code in (2, 3)
    assert out == ""
    assert message in err
    assert sorted(here.iterdir()) == before


def test_nothing_is_replaced_unless_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "importance", "photo.png", "-s", "gradient")[0] == 0
    code, _, err = shown(capsys, "importance", "photo.png", "-s", "gradient")
    assert code == 2
    assert "--overwrite" in err
    assert shown(capsys, "importance", "photo.png", "-s", "gradient", "--overwrite")[0] == 0


@pytest.mark.parametrize("view", ["sheet", "importance", "faded", "grid", "seams"])
def test_previews_of_a_reduction(here: Path, capsys: pytest.CaptureFixture[str], view: str) -> None:
    operator = "carve" if view == "seams" else "warp"
    words = ["shrink", "photo.png", "-m", "claude-opus-4-7", "-b", "40%", "--operator", operator]
    found = report(capsys, *words, "--importance", "gradient", "--preview", f"{view}.png", "--preview-of", view)
    assert set(found["operator"].split("+")) <= {"carve", "warp"}
    assert (found["importance"], found["warnings"]) == ("gradient", [])
    with Image.open(f"{view}.png") as picture:
        assert picture.width > 200


def test_a_preview_with_nothing_to_show_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["shrink", "photo.png", "-m", "claude-opus-4-7", "-b", "40%", "--operator", "resize"]
    found = report(capsys, *words, "--preview", "p.png", "--preview-of", "seams")
    assert found["warnings"] == ["the preview shows before and after: no seams were taken out (resize): carve it"]
    code, _, err = shown(capsys, *words, "--preview-of", "seams")
    assert code == 2
    assert "add --preview" in err


def test_computer_use_refuses_what_moves_things(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["shrink", "photo.png", "-m", "claude-opus-4-7", "-b", "40%", "--computer-use"]
    code, _, err = shown(capsys, *words, "--operator", "warp", "-o", "x.png")
    assert code == 2
    assert "for computer use" in err
    assert report(capsys, *words, "-o", "y.png")["operator"] == "resize"
