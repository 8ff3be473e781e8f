"""The model of the project's own: its contract, what it has to see, and that NumPy computes what was trained."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim.errors import InputError, UsageError
from pixtrim.importance import student
from pixtrim.importance.student import INPUT_SIDE, saliency, student_maps

Pixels = NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def is_map(found: object, shape: tuple[int, int]) -> bool:
    return (
        isinstance(found, np.ndarray)
        and found.dtype == np.float32
        and found.shape == shape
        and found.flags.c_contiguous
        and bool(np.isfinite(found).all())
        and float(found.min()) >= 0
        and float(found.max()) <= 1
    )


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 4000), (4000, 1), (2, 3), (7, 300), (16, 16), (224, 224), (224, 160), (517, 389)]
)
def test_any_picture_gets_a_map_of_its_size(height: int, width: int) -> None:
    assert is_map(saliency(noise(height, width)), (height, width))


@given(height=st.integers(1, 90), width=st.integers(1, 90), level=st.integers(0, 255))
@settings(max_examples=25)
def test_flat_and_grey_pictures_get_a_map(height: int, width: int, level: int) -> None:
    grey = np.full((height, width, 3), level, np.uint8)
    assert is_map(saliency(grey), (height, width))
    assert is_map(saliency(grey // 2 + noise(height, width, level)[..., :1] // 2), (height, width))


def test_the_same_picture_gets_the_same_map_and_is_left_as_it_was() -> None:
    pixels = noise(120, 90)
    before = pixels.copy()
    assert np.array_equal(saliency(pixels), saliency(pixels.copy()))
    assert np.array_equal(pixels, before)


def test_how_the_picture_lies_in_memory_does_not_matter() -> None:
    pixels = noise(64, 224)
    flipped = np.ascontiguousarray(pixels[:, ::-1])
    assert np.array_equal(saliency(flipped), saliency(pixels[:, ::-1]))


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        [[[0, 0, 0]]],
        None,
    ],
)
@pytest.mark.parametrize("call", [saliency, student_maps])
def test_what_is_no_picture_is_refused(call: object, bad: object) -> None:
    with pytest.raises(UsageError, match="pixels"):
        call(bad)  # type: ignore[operator]


def test_maps_are_of_cells_of_the_input() -> None:
    for found in student_maps(noise(300, 600)):
        assert found.shape == (14, 28)
        assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), (224, 224)), ((1, 4000), (16, 224)), ((1080, 1920), (128, 224)), ((600, 400), (224, 144))],
)
def test_the_input_keeps_the_aspect_in_steps_of_16(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert student._input_size(*size) == expected
    assert max(expected) == INPUT_SIDE


@pytest.mark.parametrize("place", [(0.3, 0.3), (0.5, 0.5), (0.6, 0.7)])
@pytest.mark.parametrize(
    ("ground", "colour"),
    [((128, 160, 128), (200, 40, 30)), ((20, 24, 40), (230, 220, 120)), ((240, 240, 240), (40, 70, 160))],
)
def test_an_object_on_a_plain_ground_matters_more_than_the_ground(
    place: tuple[float, float], ground: tuple[int, int, int], colour: tuple[int, int, int]
) -> None:
    height, width = 300, 400
    picture = Image.new("RGB", (width, height), ground)
    y, x = place[0] * height, place[1] * width
    ImageDraw.Draw(picture).ellipse((x - 50, y - 50, x + 50, y + 50), fill=colour)
    inside = Image.new("1", (width, height))
    ImageDraw.Draw(inside).ellipse((x - 50, y - 50, x + 50, y + 50), fill=1)
    found, mask = saliency(np.array(picture)), np.array(inside)
    assert found[mask].mean() > 2 * found[~mask].mean()
    assert found[mask].mean() > 0.4


@pytest.mark.parametrize("ink", ["black", "white"])
def test_text_matters_more_than_the_ground(ink: str) -> None:
    picture = Image.new("RGB", (480, 320), (150, 150, 146))
    font = ImageFont.load_default(30)
    draw = ImageDraw.Draw(picture)
    box = draw.textbbox((100, 200), "Platform 12", font=font)
    draw.text((100, 200), "Platform 12", fill=ink, font=font)
    found = saliency(np.array(picture))
    left, top, right, bottom = map(int, box)
    assert found[top:bottom, left:right].mean() > 0.4
    assert found[top:bottom, left:right].mean() > 2 * found[:150].mean()
    _, _, text = student_maps(np.array(picture))
    row, column = np.unravel_index(text.argmax(), text.shape)
    cell = 480 / text.shape[1]
    assert top - cell <= (row + 0.5) * cell <= bottom + cell
    assert left - cell <= (column + 0.5) * cell <= right + cell


def test_a_flat_picture_has_little_that_matters() -> None:
    assert saliency(np.full((200, 300, 3), 127, np.uint8)).mean() < 0.25


def test_enlarging_is_exact() -> None:
    cells = np.array([[0, 255], [255, 255]], np.float32)
    found = student._enlarged(cells, 4, 4)
    # Centres of pixels lie at -0.25, 0.25, 0.75 and 1.25 cells; outside the centres of the outer cells nothing changes.
    side = np.array([0, 0.25, 0.75, 1])
    assert np.allclose(found, 1 - (1 - side)[:, None] * (1 - side), atol=1e-6)
    assert np.array_equal(student._enlarged(np.full((3, 5), 255, np.float32), 31, 17), np.ones((31, 17), np.float32))


@given(st.integers(1, 28), st.integers(1, 300))
def test_parts_of_cells_sum_to_one(cells: int, pixels: int) -> None:
    table = student._bilinear(cells, pixels)
    assert table.shape == (pixels, cells)
    assert np.array_equal(table.sum(1), np.full(pixels, 256))
    assert (table >= 0).all()


def test_a_window_of_three_by_three_is_what_a_loop_says(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 5, 2)).astype(np.float32)
    layer = {"a.weight": rng.normal(size=(18, 4)).astype(np.float32), "a.bias": np.arange(4, dtype=np.float32)}
    monkeypatch.setattr(student, "_weights", lambda: layer)
    expected = np.zeros((3, 5, 4))
    for row in range(3):
        for column in range(5):
            total = layer["a.bias"].astype(float)
            for i in range(3):
                for j in range(3):
                    y, z = row + i - 1, column + j - 1
                    if 0 <= y < 3 and 0 <= z < 5:
                        total = total + x[y, z] @ layer["a.weight"].reshape(3, 3, 2, 4)[i, j]
            expected[row, column] = total
    assert np.allclose(student._around(x, "a"), expected, atol=1e-5)


def test_weights_come_with_the_package_and_are_small() -> None:
    file = resources.files("pixtrim.importance").joinpath("student.npz")
    with resources.as_file(file) as path:
        assert path.stat().st_size <= 2_000_000
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        with np.load(path) as arrays:
            for name in arrays.files:
                assert arrays[name].dtype == np.float16, name
                assert np.isfinite(arrays[name]).all(), name


def test_weights_are_read_when_they_are_first_needed() -> None:
    code = (
        "import pixtrim.importance.student as s; a = s._weights.cache_info().currsize; import numpy as np;"
        "s.saliency(np.zeros((9, 9, 3), np.uint8)); s.saliency(np.zeros((9, 9, 3), np.uint8));"
        "import sys; print(a, s._weights.cache_info().misses, 'torch' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1", "False", "False"]


def test_damaged_weights_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "student.npz").write_bytes(b"PK\x03\x04 broken")
    monkeypatch.setattr(student.resources, "files", lambda _: tmp_path)
    with pytest.raises(InputError, match=r"student\.npz.*install pixtrim again"):
        student._weights.__wrapped__()


def test_numpy_computes_what_was_trained(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="the trained module needs PyTorch")
    spec = importlib.util.spec_from_file_location("student_model", repository / "training" / "model.py")
    assert spec is not None
    assert spec.loader is not None
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    torch.manual_seed(0)
    module = model.Student()
    with torch.no_grad():  # statistics that are not 0 and 1, so that folding them is put to the test
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.3)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
        for name, parameter in module.named_parameters():
            if ".norm." in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    module.eval()
    exported = {name: array.astype(np.float32) for name, array in module.export().items()}
    assert exported.keys() == student._weights().keys()
    assert {name: array.shape for name, array in exported.items()} == {
        name: array.shape for name, array in student._weights().items()
    }
    monkeypatch.setattr(student, "_weights", lambda: exported)
    x = np.random.default_rng(0).random((48, 80, 3)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    found = student._forward(x * 2 - 1)
    assert np.ptp(expected) > 0.05
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max() + 0.005  # float16 weights
