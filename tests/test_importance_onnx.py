"""Importance by detectors, segmentation and faces: small ONNX networks made here, and real ones where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, UsageError
from pixtrim.importance import Faces, Objects, Segmentation, importance_of
from pixtrim.importance.detector import COCO, Detector

Pixels = NDArray[np.uint8]

onnx = pytest.importorskip("onnx", reason='onnx is not installed: pip install "pixtrim[dev]"')
pytest.importorskip("onnxruntime", reason='onnxruntime is not installed: pip install "pixtrim[onnx]"')

MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))


def written(path: Path, nodes: Sequence[Any], taken: Sequence[Any], given: dict[str, Any], **constants: Any) -> str:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, taken)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return str(path)


def mixes(path: Path, matrix: Sequence[Sequence[float]], height: Any, width: Any, order: str = "first") -> str:
    """Write a network whose answer at each place is a matrix times the three channels there."""
    from onnx import helper

    weights = np.array(matrix, np.float32)[:, :, None, None]
    classes, axes = len(weights), {"first": (3, height, width), "last": (height, width, 3)}[order]
    nodes = [helper.make_node("Conv", ["turned" if order == "last" else "images", "weights"], ["mixed"])]
    answer = "mixed"
    if order == "last":
        nodes.insert(0, helper.make_node("Transpose", ["images"], ["turned"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["mixed"], ["answer"], perm=[0, 2, 3, 1]))
        answer = "answer"
    shape = [1, classes, height, width] if order == "first" else [1, height, width, classes]
    return written(path, nodes, [1, *axes], {answer: shape}, weights=weights)


def picture(height: int = 24, width: int = 40) -> Pixels:
    """Black, with a red square and a green one."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[4:12, 4:12, 0] = 255
    pixels[12:20, 24:36, 1] = 255
    return pixels


def channels(pixels: Pixels) -> NDArray[np.float64]:
    return (pixels / 255 - MEAN) / STD


# --- segmentation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("side", ["fixed", "any"])
def test_a_single_map_is_brought_to_the_range(tmp_path: Path, order: str, side: str) -> None:
    pixels = np.ascontiguousarray(picture().repeat(8, axis=0).repeat(8, axis=1))  # 320 x 192
    shape = (192, 320) if side == "fixed" else ("height", "width")
    source = Segmentation(mixes(tmp_path / "red.onnx", [[1, 0, 0]], *shape, order=order))
    expected = 1 / (1 + np.exp(-channels(pixels)[..., 0]))
    np.testing.assert_allclose(source(pixels), expected, atol=1e-5)
    half = importance_of(np.ascontiguousarray(pixels[::2, ::2]), f"segmentation:{tmp_path / 'red.onnx'}")
    assert half.shape == (96, 160)
    assert half[32, 32] == pytest.approx(expected[64, 64], abs=1e-4)


def test_a_map_within_the_range_stays_as_it_is(tmp_path: Path) -> None:
    network = mixes(tmp_path / "little.onnx", [[0, 0.0, 0]], 24, 40)
    assert not Segmentation(network)(picture()).any()  # the logistic function would make 0.5 of it


@pytest.mark.parametrize("order", ["first", "last"])
def test_classes_but_the_background_matter(tmp_path: Path, order: str) -> None:
    network = mixes(tmp_path / "classes.onnx", [[0, 0, 0], [5, 0, 0], [0, 5, 0]], 24, 40, order)
    pixels = picture()
    scores = np.exp(np.stack([np.zeros((24, 40)), 5 * channels(pixels)[..., 0], 5 * channels(pixels)[..., 1]]))
    shares = scores / scores.sum(axis=0)
    for foreground, expected in ((None, shares[1:].sum(axis=0)), ([1], shares[1]), ({2, 0}, shares[2] + shares[0])):
        found = Segmentation(network, foreground=foreground)(pixels)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(UsageError, match=r"foreground has 3: classes\.onnx has 3 classes"):
        Segmentation(network, foreground=[3])(pixels)
    with pytest.raises(UsageError, match="foreground is"):
        Segmentation(network, foreground=["cat"])  # type: ignore[list-item]


def test_networks_that_segment_nothing_are_refused(tmp_path: Path) -> None:
    from onnx import helper

    written(tmp_path / "grey.onnx", [helper.make_node("Neg", ["images"], ["o"])], [1, 1, 8, 8], {"o": [1, 1, 8, 8]})
    mixes(tmp_path / "nan.onnx", [[np.nan, 0, 0]], 24, 40)
    flat = helper.make_node("GlobalAveragePool", ["images"], ["p"]), helper.make_node("Flatten", ["p"], ["o"])
    written(tmp_path / "flat.onnx", flat, [1, 3, 24, 40], {"o": [1, 3]})
    (tmp_path / "text.onnx").write_text("no network")
    for name, message in (
        ("grey", "pictures of 3 channels"),
        ("nan", "finite numbers"),
        ("flat", r"answered \(1, 3\)"),
        ("text", "not an ONNX network"),
        ("absent", "cannot be read"),
    ):
        with pytest.raises(InputError, match=rf"^{name}\.onnx: .*{message}"):
            importance_of(picture(), f"segmentation:{tmp_path / name}.onnx")


# --- objects ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def yolox(shared_data: Path) -> str:
    return str(shared_data / "weights" / "yolox_nano.onnx")


def test_objects_are_as_important_as_they_are_sure(yolox: str, shared_data: Path) -> None:
    pixels = np.asarray(Image.open(shared_data / "photos" / "bsds" / "3096.jpg").convert("RGB"))
    (plane,) = Detector(yolox).detect(pixels)
    found = importance_of(pixels, f"detector:{yolox}")
    x0, y0, x1, y1 = (round(edge) for edge in plane.box)
    assert found[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].min() == pytest.approx(plane.score)
    assert found.max() == pytest.approx(plane.score)
    assert not found[: y0 - 40].any()
    np.testing.assert_array_equal(Objects(yolox, labels=["airplane", 0])(pixels), found)
    assert not Objects(yolox, labels=["person"])(pixels).any()
    assert not Objects(yolox, least=0.99)(pixels).any()
    assert COCO[plane.label] == "airplane"


def test_unknown_classes_and_confidences_are_refused(yolox: str) -> None:
    with pytest.raises(UsageError, match="label is 'dragon': give the number of a class, or its name in COCO"):
        Objects(yolox, labels=["dragon"])
    for least in (0, 1, float("nan")):
        with pytest.raises(UsageError, match=r"^least is"):
            Objects(yolox, least=least)
        with pytest.raises(UsageError, match=r"^least is"):
            Faces("any.onnx", least=least)


# --- faces -----------------------------------------------------------------------------------------------------------


def lamps(path: Path) -> str:
    """Write a network of YuNet's form, to which each bright cell of one of its grids is a face."""
    from onnx import helper

    nodes, given, constants = [], {}, {"grey": np.full((1, 3, 1, 1), 1 / 765, np.float32)}
    constants |= {f"to{width}": np.array([1, -1, width], np.int64) for width in (1, 4, 10)}
    constants |= {f"zero{width}": np.zeros((width, 3, 1, 1), np.float32) for width in (4, 10)}
    for stride in (8, 16, 32):
        window = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["images"], [f"mean_{stride}"], **window))
        for name, weights, width in (
            ("cls", "grey", 1),
            ("obj", "grey", 1),
            ("bbox", "zero4", 4),
            ("kps", "zero10", 10),
        ):
            plane, turned, out = f"{name}p_{stride}", f"{name}t_{stride}", f"{name}_{stride}"
            nodes.append(helper.make_node("Conv", [f"mean_{stride}", weights], [plane]))
            nodes.append(helper.make_node("Transpose", [plane], [turned], perm=[0, 2, 3, 1]))
            nodes.append(helper.make_node("Reshape", [turned, f"to{width}"], [out]))
            given[out] = [1, f"n_{name}_{stride}", width]
    order = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    return written(path, nodes, [1, 3, "h", "w"], {name: given[name] for name in order}, **constants)


@pytest.fixture
def _opencv() -> None:
    pytest.importorskip("cv2", reason='OpenCV is not installed: pip install "pixtrim[faces]"')


@pytest.mark.usefixtures("_opencv")
def test_faces_are_found_where_they_are(tmp_path: Path) -> None:
    network = lamps(tmp_path / "lamps.onnx")
    pixels = np.zeros((96, 160, 3), np.uint8)
    assert not importance_of(pixels, f"faces:{network}").any()
    pixels[40:48, 80:88] = 255  # a cell of 8 pixels, whose box is about its corner: (76, 36) to (84, 44)
    found = Faces(network)(pixels)
    np.testing.assert_allclose(found[36:44, 76:84], 1, atol=1e-3)
    np.testing.assert_allclose(found[40, 72:78], [0.125, 0.375, 0.625, 0.875, 1, 1], atol=1e-3)
    assert not found[:, :70].any()
    assert Faces(network, least=0.9)(pixels).any()
    pixels[40:48, 80:88] = 128
    assert not Faces(network)(pixels).any()
    large = np.zeros((480, 2048, 3), np.uint8)  # looked at in half its size
    large[160:176, 320:336] = 255
    found = Faces(network)(large)
    np.testing.assert_allclose(found[152:168, 312:328], 1, atol=1e-3)
    assert not found[:, :300].any()


@pytest.mark.usefixtures("_opencv")
def test_what_finds_no_faces_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    for name, message in (("text", "not a YuNet face detector"), ("absent", "there is no such file")):
        with pytest.raises(InputError, match=rf"^{name}\.onnx: .*{message}"):
            importance_of(picture(), f"faces:{tmp_path / name}.onnx")
