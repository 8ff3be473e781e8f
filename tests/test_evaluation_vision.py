"""The detector, and measures by encoders and detectors: small networks made here, and real ones where they are."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import InputError, UsageError
from pixtrim.evaluation.judges.encoders import encoder_named
from pixtrim.evaluation.measures import Measure, measure_named
from pixtrim.evaluation.measures.vision import detector_measures, encoder_measures
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.samples import Box, Sample, Truth
from pixtrim.importance.detector import COCO, Detector, overlap
from pixtrim.importance.vit import CLASSES

Pixels = NDArray[np.uint8]
BASES = (
    "label-agreement",
    "label-agreement-self",
    "embedding-cosine",
    "patch-cosine",
    "detection-recall",
    "detection-recall-self",
)


def sample_of(pixels: Pixels, kind: str = "photo", **truth: Any) -> Sample:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Sample("made.png", kind, stream.getvalue, Truth(**truth))


def same(pixels: Pixels) -> Reduced:
    return Reduced(pixels, CoordinateMap.identity(*pixels.shape[1::-1]), 0)


def score(measure: Measure, sample: Sample, reduced: Reduced) -> float | None:
    assert measure.applies(sample)
    return measure.score(sample, reduced, measure.prepare(sample))


def cells(seed: int, side: int = 16, count: int = 4) -> Pixels:
    """A picture of flat squares, each of its own colour."""
    colours = np.random.default_rng(seed).integers(0, 256, (count, count, 3), np.uint8)
    return np.ascontiguousarray(colours.repeat(side, axis=0).repeat(side, axis=1))


WIDTH, SIDE, PATCH = 64, 4, 16
NAMES = ("n00000001 cat, tabby", "n00000002 dog", "n00000003 crane", "n00000004 crane, machine", "n00000005 mug")


def weights_of(seed: int = 0, still: bool = False) -> dict[str, NDArray[np.float16]]:
    """Random weights of a ViT with one block, which in a still one adds nothing, and 5 classes."""
    linear = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, SIDE * SIDE + 1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (WIDTH,),
        "head.weight": (5, WIDTH),
        "head.bias": (5,),
    }
    for layer in ("norm", "blocks.0.norm1", "blocks.0.norm2"):
        shapes |= {f"{layer}.weight": (WIDTH,), f"{layer}.bias": (WIDTH,)}
    for layer, (rows, columns) in linear.items():
        shapes |= {
            f"blocks.0.{layer}.weight": (rows * WIDTH, columns * WIDTH),
            f"blocks.0.{layer}.bias": (rows * WIDTH,),
        }
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.15, shape).astype(np.float16) for name, shape in shapes.items()}
    for name in weights:
        if still and ("attn.proj" in name or "mlp.fc2" in name):
            weights[name][:] = 0
    return weights


def saved(folder: Path, weights: Mapping[str, NDArray[Any]], names: Sequence[str] = ()) -> str:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "tiny.npz", **weights)
    if names:
        (folder / CLASSES).write_text("\n".join(names) + "\n", encoding="utf-8")
    return str(folder / "tiny.npz")


# --- the detector ----------------------------------------------------------------------------------------------------


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer."""

    def varint(rest: int) -> bytes:
        return bytes([rest & 127 | 128]) + varint(rest >> 7) if rest > 127 else bytes([rest])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def network(answers: NDArray[np.float32], side: int) -> bytes:
    """An ONNX network that answers the same whatever it is shown."""

    def value(name: str, shape: Sequence[int]) -> bytes:
        dims = b"".join(field(1, field(1, size)) for size in shape)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))

    constant = b"".join(field(1, size) for size in answers.shape)
    constant += field(2, 1) + field(8, "answers") + field(9, answers.astype("<f4").tobytes())
    node = field(1, "answers") + field(2, "output") + field(4, "Identity")
    graph = field(1, node) + field(2, "graph") + field(5, constant)
    graph += field(11, value("images", (1, 3, side, side))) + field(12, value("output", answers.shape))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))


def finds(path: Path, objects: Sequence[tuple[float, float, float, float, int, float]], classes: int = 80) -> str:
    """Write a detector of 64 px that finds such objects: centre, size, class and confidence, on its finest grid."""
    side = 64
    answers = np.zeros((1, sum((side // s) ** 2 for s in (8, 16, 32)), 5 + classes), np.float32)
    for x, y, width, height, label, confidence in objects:
        column, row = int(x // 8), int(y // 8)
        anchor = answers[0, row * (side // 8) + column]
        anchor[:4] = x / 8 - column, y / 8 - row, math.log(width / 8), math.log(height / 8)
        anchor[4], anchor[5 + label] = confidence, 1
    path.write_bytes(network(answers, side))
    return str(path)


@pytest.fixture
def _runtime() -> None:
    pytest.importorskip("onnxruntime", reason='onnxruntime is not installed: pip install "pixtrim[onnx]"')


OBJECTS = [(20, 12, 16, 8, 2, 0.9), (50, 25, 20, 12, 0, 0.6), (34, 30, 6, 6, 0, 0.2)]


@pytest.mark.usefixtures("_runtime")
def test_detections_are_decoded_and_brought_to_the_picture(tmp_path: Path) -> None:
    detector = Detector(finds(tmp_path / "d.onnx", OBJECTS))
    assert detector.classes == COCO
    wide = np.zeros((64, 128, 3), np.uint8)  # shown at half its size, in the upper half
    found = detector.detect(wide)
    assert [(d.label, round(d.score, 4)) for d in found] == [(2, 0.9), (0, 0.6)]
    np.testing.assert_allclose([d.box for d in found], [(24, 16, 56, 32), (80, 38, 120, 62)], atol=1e-4)
    assert [d.label for d in detector.detect(wide, 0.1)] == [2, 0, 0]
    low = detector.detect(np.zeros((32, 128, 3), np.uint8))
    np.testing.assert_allclose([d.box for d in low], [(24, 16, 56, 32)], atol=1e-4)  # the other lies outside


@pytest.mark.usefixtures("_runtime")
def test_weaker_views_of_one_object_are_dropped(tmp_path: Path) -> None:
    twins = [(20, 20, 20, 20, 7, 0.9), (28, 20, 20, 20, 7, 0.8), (20, 28, 20, 20, 3, 0.7), (40, 44, 20, 20, 7, 0.6)]
    found = Detector(finds(tmp_path / "d.onnx", twins)).detect(np.zeros((64, 64, 3), np.uint8))
    assert [(d.label, round(d.score, 1)) for d in found] == [(7, 0.9), (7, 0.8), (3, 0.7), (7, 0.6)]
    close = [(20, 20, 20, 20, 7, 0.9), (24.5, 20, 20, 20, 7, 0.8), (20, 24.5, 20, 20, 3, 0.7)]
    found = Detector(finds(tmp_path / "e.onnx", close)).detect(np.zeros((64, 64, 3), np.uint8))
    assert [(d.label, round(d.score, 1)) for d in found] == [(7, 0.9), (3, 0.7)]


@pytest.mark.usefixtures("_runtime")
def test_networks_of_other_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    (tmp_path / "short.onnx").write_bytes(network(np.zeros((1, 7, 85), np.float32), 64))
    (tmp_path / "flat.onnx").write_bytes(network(np.zeros((1, 1000), np.float32), 64))
    for name, message in (
        ("text", "not an ONNX"),
        ("short", "no YOLOX"),
        ("flat", "no YOLOX"),
        ("absent", "cannot be"),
    ):
        with pytest.raises(InputError, match=rf"^{name}\.onnx: .*{message}"):
            Detector(tmp_path / f"{name}.onnx")


def test_overlaps_of_boxes() -> None:
    a = np.array([[0, 0, 4, 4], [2, 2, 2, 2]])
    b = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4]])
    np.testing.assert_allclose(overlap(a, b), [[1, 1 / 3, 0], [0, 0, 0]])
    assert overlap(a[:0], b).shape == (0, 3)


# --- measures by an encoder ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("tiny"), weights_of(), NAMES)


def test_measures_are_named_after_their_network_and_travel_to_processes(tiny: str) -> None:
    made = encoder_measures(tiny)
    assert [measure.name for measure in made] == [
        "label-agreement-tiny",
        "label-agreement-tiny-self",
        "embedding-cosine-tiny",
        "patch-cosine-tiny",
    ]
    data = pickle.dumps(made)
    assert len(data) < 4000  # the network stays behind
    again = pickle.loads(data)
    assert [(m.name, m.version) for m in again] == [(m.name, m.version) for m in made]
    picture = cells(3)
    assert score(again[3], sample_of(picture), same(picture)) == pytest.approx(1)


def test_the_version_tells_weights_apart(tmp_path: Path) -> None:
    versions = {
        encoder_measures(saved(tmp_path / str(seed), weights_of(seed)))[2].version.split()[-1] for seed in (0, 1)
    }
    assert len(versions) == 2


def test_no_place_on_a_disk_gets_into_names_and_versions(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    made: list[list[Measure]] = []
    for place in ("one", "another"):
        made.append([*encoder_measures(saved(tmp_path / place, weights_of(), NAMES))])
        made[-1] += detector_measures(finds(tmp_path / place / "still.onnx", OBJECTS))
    assert [(m.name, m.version) for m in made[0]] == [(m.name, m.version) for m in made[1]]
    for measure in made[0]:
        assert not {"/", "\\"} & set(measure.name + measure.version)
        assert "sha256" in measure.version
    assert [made[0][n].version.split()[1] for n in (0, -1)] == ["tiny.npz", "still.onnx"]


def test_without_a_network_measures_say_what_they_need() -> None:
    for name in BASES:
        measure = measure_named(name)
        assert measure.question.endswith("?")
        message = measure.missing()
        assert message is not None
        assert message.startswith("needs a")
        with pytest.raises(UsageError, match=f"metric is '{name}': needs a"):
            measure()


def test_label_agreement_is_whether_the_class_is_the_true_one_or_that_of_the_original(tmp_path: Path) -> None:
    weights = weights_of()
    for name in weights:
        if name.endswith((".bias", "cls_token", "pos_embed")):
            weights[name][:] = 0  # so that the answer hangs on the picture
    tiny = saved(tmp_path, weights, NAMES)
    encoder = encoder_named(tiny)
    by_class: dict[int, Pixels] = {}
    for seed in range(200):
        by_class.setdefault(encoder.classify(cells(seed)), cells(seed))
    numbers = list(by_class)[:2]
    right, other = (by_class[number] for number in numbers)
    synset = NAMES[numbers[0]].split()[0]
    truth, self = encoder_measures(tiny)[:2]
    sample = sample_of(right, label=synset)
    assert [score(measure, sample, same(right)) for measure in (truth, self)] == [1, 1]
    assert [score(measure, sample, same(other)) for measure in (truth, self)] == [0, 0]
    assert score(truth, sample_of(other, label=synset), same(other)) == 0
    assert score(self, sample_of(other, label=synset), same(other)) == 1
    assert not truth.applies(sample_of(right))
    assert not truth.applies(sample_of(right, label="n99999999"))


def test_an_encoder_without_classes_has_no_label_agreement(tmp_path: Path) -> None:
    made = encoder_measures(saved(tmp_path, weights_of()))
    assert [measure.applies(sample_of(cells(0), label="cat")) for measure in made] == [False, False, True, True]
    assert not any(measure.applies(sample_of(cells(0), "document scan")) for measure in made)


def test_embeddings_are_compared_by_their_cosine(tiny: str) -> None:
    measure, encoder = encoder_measures(tiny)[2], encoder_named(tiny)
    a, b = cells(0), cells(1)
    assert score(measure, sample_of(a), same(a)) == pytest.approx(1)
    u, v = (encoder.embed(pixels).cls.astype(np.float64) for pixels in (a, b))
    assert score(measure, sample_of(a), same(b)) == pytest.approx(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def test_patches_are_compared_where_the_map_says_that_they_are(tmp_path: Path) -> None:
    weights = weights_of(still=True)
    weights["pos_embed"][:] = 0  # what is at a place depends on nothing else then
    measure = encoder_measures(saved(tmp_path, weights))[3]
    picture = cells(5)
    sample = sample_of(picture)
    half = Reduced(picture[::2, ::2], CoordinateMap.scale((64, 64), (32, 32)), 0)
    assert score(measure, sample, half) == pytest.approx(1, abs=0.01)

    # The second row of squares repeats the first and is dropped: what is below has moved up, and is found there.
    picture[16:32] = picture[:16]
    kept = np.r_[0:16, 32:64]
    reduced = np.ascontiguousarray(picture[kept])
    right = Reduced(reduced, CoordinateMap.keep(kept, None, (64, 64)), 0)
    wrong = Reduced(reduced, CoordinateMap.scale((64, 64), (64, 48)), 0)
    assert score(measure, sample_of(picture), right) > score(measure, sample_of(picture), wrong)


# --- measures by a detector ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_runtime")
def test_objects_are_found_at_their_places_in_the_original(tmp_path: Path) -> None:
    truth, self = detector_measures(finds(tmp_path / "still.onnx", OBJECTS))
    assert [truth.name, self.name] == ["detection-recall-still", "detection-recall-still-self"]
    pickle.dumps((truth, self))
    large, small = np.zeros((128, 128, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    good = Reduced(small, CoordinateMap.scale((128, 128), (64, 64)), 0)
    cut = Reduced(small, CoordinateMap.keep(np.arange(64), np.arange(64), (128, 128)), 0)
    assert score(self, sample_of(large), good) == 1
    assert score(self, sample_of(large), cut) == 0  # of half the size, and elsewhere

    boxes = (Box(24, 16, 56, 32, "car"), Box(80, 38, 120, 62, "Person"), Box(0, 90, 30, 120, "cat"))
    assert score(truth, sample_of(large, objects=boxes), good) == pytest.approx(2 / 3)
    assert score(truth, sample_of(large, objects=boxes[:1] * 2), good) == 0.5  # each is found once
    assert score(truth, sample_of(large, objects=(Box(24, 16, 56, 32, "cat"),)), good) == 0
    assert score(truth, sample_of(large, objects=(Box(24, 16, 56, 32, "sculpture"),)), good) == 1  # no class of it
    assert not truth.applies(sample_of(large))
    assert not truth.applies(sample_of(large, objects=()))
    assert not self.applies(sample_of(large, "web screenshot"))


@pytest.mark.usefixtures("_runtime")
def test_a_picture_without_objects_has_no_recall(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    truth, self = detector_measures(finds(tmp_path / "none.onnx", [(20, 20, 10, 10, 1, 0.4)]))
    assert score(self, sample_of(picture), same(picture)) is None  # seen, but not with confidence
    truth, self = detector_measures(finds(tmp_path / "blind.onnx", []))
    assert score(truth, sample_of(picture, objects=(Box(0, 0, 9, 9),)), same(picture)) == 0


# --- real networks ---------------------------------------------------------------------------------------------------


def imagenet(shared_data: Path) -> list[Sample]:
    lines = (shared_data / "photos/imagenet/labels.csv").read_text(encoding="utf-8").splitlines()[1:]
    named = [line.split(",")[:2] for line in lines]
    paths = [(shared_data / "photos/imagenet" / file, synset) for file, synset in named]
    return [Sample(path.name, "photo", path.read_bytes, Truth(label=synset)) for path, synset in paths]


def test_deit_tiny_knows_photos(shared_data: Path) -> None:
    encoder = encoder_named(str(shared_data / "weights" / "deit_tiny_fp16.npz"))
    right = [encoder.classify(s.pixels) == encoder.number_of(s.truth.label or "") for s in imagenet(shared_data)]
    assert sum(right) >= 0.8 * len(right)


def test_deit_tiny_sees_less_in_small_photos(shared_data: Path) -> None:
    measures = encoder_measures(str(shared_data / "weights" / "deit_tiny_fp16.npz"))
    found: dict[int, list[list[float | None]]] = {1: [], 14: []}
    for sample in imagenet(shared_data)[:6]:
        width, height = sample.pixels.shape[1::-1]
        for part, scores in found.items():
            size = (width // part, height // part)
            image = np.asarray(Image.fromarray(sample.pixels).resize(size, Image.Resampling.LANCZOS))
            reduced = Reduced(image, CoordinateMap.scale((width, height), size), 0)
            scores.append([score(measure, sample, reduced) for measure in measures])
    large, small = (np.mean(np.array(scores, np.float64), axis=0).tolist() for scores in found.values())
    assert large[1:] == pytest.approx([1, 1, 1])
    assert all(many > few for many, few in zip(large, small, strict=True))


@pytest.mark.usefixtures("_runtime")
def test_yolox_nano_finds_the_aeroplane_wherever_it_is_moved(shared_data: Path) -> None:
    measures = detector_measures(str(shared_data / "weights" / "yolox_nano.onnx"))
    photo = np.asarray(Image.open(BytesIO((shared_data / "photos/bsds/3096.jpg").read_bytes())).convert("RGB"))
    (found,) = Detector(shared_data / "weights" / "yolox_nano.onnx").detect(photo, 0.5)
    assert COCO[found.label] == "airplane"
    height, width = photo.shape[:2]
    framed = np.full((height, width + 200, 3), photo[0, 0], np.uint8)
    framed[:, 200:] = photo
    cut = CoordinateMap.keep(None, np.arange(200, width + 200), (width + 200, height))
    sample = sample_of(
        framed, objects=(Box(found.box[0] + 200, found.box[1], found.box[2] + 200, found.box[3], "airplane"),)
    )
    assert [score(measure, sample, Reduced(photo, cut, 0)) for measure in measures] == [1, 1]
    wrong = CoordinateMap.keep(None, np.arange(width), (width + 200, height))
    assert [score(measure, sample, Reduced(photo, wrong, 0)) for measure in measures] == [0, 0]
