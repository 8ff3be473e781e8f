"""Words drawn on photos: the same every time, where they are said to be, and neither too small nor too large."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from pixtrim.evaluation.datasets import open_dataset


@pytest.fixture
def scenes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(repository / "benchmarks")
    return importlib.import_module("scenes")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Soft coloured pictures in the place of photos, one of them too small, and a mask."""
    sizes = {"kodak/a.png": (640, 400), "kodak/small.png": (200, 300), "ecssd/b's c.png": (300, 420)}
    for number, (name, size) in enumerate(sizes.items()):
        path = tmp_path / "data" / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(number).integers(0, 256, (5, 6, 3), np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    Image.new("L", (400, 400)).save(tmp_path / "data" / "photos" / "ecssd" / "b_mask.png")
    return tmp_path / "data"


def drawn(scenes: ModuleType, data: Path, folder: Path, *more: str) -> dict[str, bytes]:
    assert scenes.main([str(folder), "--data", str(data), *more]) == 0
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_draws_the_same_and_another_one_others(scenes: ModuleType, data: Path, tmp_path: Path) -> None:
    first = drawn(scenes, data, tmp_path / "one")
    assert sorted(first) == ["ecssd_b_s_c.png", "gt_ecssd_b_s_c.txt", "gt_kodak_a.txt", "kodak_a.png"]
    assert drawn(scenes, data, tmp_path / "one") == first  # over what is there
    other = drawn(scenes, data, tmp_path / "other", "--seed", "1", "--most", "1")
    assert sorted(other) == ["gt_kodak_a.txt", "kodak_a.png"]
    assert all(other[name] != first[name] for name in other)
    few = drawn(scenes, data, tmp_path / "few", "--most", "1")
    assert few.items() <= first.items()  # however many are taken


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("size", [(640, 400), (300, 420), (2000, 500), (390, 130)])
def test_words_are_inside_apart_and_of_a_legible_size(scenes: ModuleType, seed: int, size: tuple[int, int]) -> None:
    photo = Image.new("RGB", size, (90, 120, 100))
    picture, words = scenes.scene(photo, f"{seed} a")
    assert max(picture.size) == max(1000, *size)
    assert len({word.text.lower() for word in words}) == len(words)
    assert {word.text.lower() for word in words} <= set(scenes.WORDS)
    assert words or min(size) < 200
    boxes = []
    for word in words:
        x, y = np.array(word.corners).T
        assert x.min() >= 0
        assert y.min() >= 0
        assert x.max() <= picture.width
        assert y.max() <= picture.height
        left = np.hypot(x[3] - x[0], y[3] - y[0])
        assert 14 <= left <= 60
        assert np.hypot(x[1] - x[0], y[1] - y[0]) > 1.2 * left
        boxes.append((x.min(), y.min(), x.max(), y.max()))
    for at, one in enumerate(boxes):
        for other in boxes[:at]:
            across, down = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
            assert min(across, down) < 4  # a slanted word reaches a little into the line above


def test_a_word_is_drawn_where_it_is_said_to_be(scenes: ModuleType) -> None:
    """On one colour every letter stands out from its plate: inside the boxes, and hardly beside them."""
    photo = Image.new("RGB", (1000, 800), (120, 120, 120))
    for seed in range(3):
        picture, words = scenes.scene(photo, str(seed))
        pixels = np.array(picture.convert("L"), np.int16)
        for word in words:
            x0, y0, x1, y1 = (round(v) for v in (*np.min(word.corners, axis=0), *np.max(word.corners, axis=0)))
            inside = pixels[y0:y1, x0:x1]
            assert inside.max() - inside.min() > 90
            ink = inside[inside.shape[0] // 2]
            assert np.count_nonzero(np.abs(np.diff(ink)) > 30) >= len(word.text)  # strokes begin and end


def test_words_of_the_list_are_words(scenes: ModuleType) -> None:
    assert len(set(scenes.WORDS)) == len(scenes.WORDS) > 200
    assert all(word.isalpha() and word.islower() and len(word) >= 4 for word in scenes.WORDS)


def test_the_evaluation_reads_what_was_written(scenes: ModuleType, data: Path, tmp_path: Path) -> None:
    drawn(scenes, data, tmp_path / "scenes")
    samples = list(open_dataset(str(tmp_path / "scenes")))
    assert [sample.kind for sample in samples] == ["scene text"] * 2
    for sample in samples:
        height, width, _ = sample.pixels.shape
        assert max(height, width) == 1000
        text = (sample.truth.text or "").split()
        assert len(text) >= 5
        assert [element.label for element in sample.truth.elements or ()] == text
        for element in sample.truth.elements or ():
            assert 0 <= element.x0 < element.x1 <= width
            assert 0 <= element.y0 < element.y1 <= height


def test_folders_with_other_files_and_missing_data_are_named(
    scenes: ModuleType, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter.txt").write_text("keep", encoding="utf-8")
    for arguments, words in (
        ([str(folder), "--data", str(data)], "mine holds other files, as letter.txt"),
        ([str(tmp_path / "new"), "--data", str(tmp_path)], "name the data with --data DIR"),
    ):
        with pytest.raises(SystemExit) as caught:
            scenes.main(arguments)
        assert caught.value.code == 2
        assert words in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]
    assert not (tmp_path / "new").exists()


def test_photos_of_the_shared_data_are_taken(scenes: ModuleType, shared_data: Path) -> None:
    photos = scenes.photos_of(shared_data, scenes.MOST)
    assert len(photos) == scenes.MOST
    assert {path.parent.name for path in photos} == set(scenes.SOURCES)
    assert len({scenes.name_of(path) for path in photos}) == len(photos)
