"""Vision encoders: the transformer in NumPy, and those of timm and Transformers, on small networks made here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, UsageError
from pixtrim.evaluation.judges.encoders import Backend, Encoder, encoder_named
from pixtrim.importance.vit import CLASSES, NumpyViT, _erf

Pixels = NDArray[np.uint8]


def cells(seed: int, side: int = 16, count: int = 4) -> Pixels:
    """A picture of flat squares, each of its own colour."""
    colours = np.random.default_rng(seed).integers(0, 256, (count, count, 3), np.uint8)
    return np.ascontiguousarray(colours.repeat(side, axis=0).repeat(side, axis=1))


# --- the vision transformer in NumPy ---------------------------------------------------------------------------------

WIDTH, SIDE, PATCH, DEPTH = 128, 4, 16, 2  # two heads, 64 px


def weights_of(seed: int = 0, classes: int = 5) -> dict[str, NDArray[np.float16]]:
    """Random weights of a small ViT."""
    rng = np.random.default_rng(seed)
    shapes = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, SIDE * SIDE + 1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
        "head.weight": (classes, WIDTH),
        "head.bias": (classes,),
    }
    for number in range(DEPTH):
        for layer, (rows, columns) in {
            "norm1": (WIDTH, 0),
            "attn.qkv": (3 * WIDTH, WIDTH),
            "attn.proj": (WIDTH, WIDTH),
            "norm2": (WIDTH, 0),
            "mlp.fc1": (4 * WIDTH, WIDTH),
            "mlp.fc2": (WIDTH, 4 * WIDTH),
        }.items():
            shapes[f"blocks.{number}.{layer}.weight"] = (rows, columns) if columns else (rows,)
            shapes[f"blocks.{number}.{layer}.bias"] = (rows,)
    weights = {name: rng.normal(0, 0.15, shape) for name, shape in shapes.items()}
    return {name: values.astype(np.float16) for name, values in weights.items()}


def saved(folder: Path, weights: Mapping[str, NDArray[Any]], names: Sequence[str] = (), file: str = "tiny.npz") -> str:
    folder.mkdir(exist_ok=True)
    np.savez(folder / file, **weights)
    if names:
        (folder / CLASSES).write_text("\n".join(names) + "\n", encoding="utf-8")
    return str(folder / file)


NAMES = ("n00000001 cat, tabby", "n00000002 dog", "n00000003 crane", "n00000004 crane, machine", "n00000005 mug")


def plain_forward(weights: Mapping[str, NDArray[Any]], picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """The same network, written token by token and head by head in float64."""
    w = {name: values.astype(np.float64) for name, values in weights.items()}

    def norm(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return (x - x.mean()) / math.sqrt(x.var() + 1e-6) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

    tokens = [w["cls_token"][0, 0] + w["pos_embed"][0, 0]]
    for i in range(SIDE * SIDE):
        y, x = divmod(i, SIDE)
        block = picture[:, y * PATCH : (y + 1) * PATCH, x * PATCH : (x + 1) * PATCH]
        embedded = np.tensordot(w["patch_embed.proj.weight"], block, 3) + w["patch_embed.proj.bias"]
        tokens.append(embedded + w["pos_embed"][0, i + 1])
    for number in range(DEPTH):
        name = f"blocks.{number}"
        parts = [linear(norm(token, f"{name}.norm1"), f"{name}.attn.qkv").reshape(3, -1, 64) for token in tokens]
        for i, token in enumerate(tokens):
            mixed = []
            for head in range(WIDTH // 64):
                scores = np.array([parts[i][0, head] @ part[1, head] / 8 for part in parts])
                share = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
                mixed.append(sum(s * part[2, head] for s, part in zip(share, parts, strict=True)))
            tokens[i] = token + linear(np.concatenate(mixed), f"{name}.attn.proj")
        for i, token in enumerate(tokens):
            hidden = linear(norm(token, f"{name}.norm2"), f"{name}.mlp.fc1")
            active = np.array([0.5 * h * (1 + math.erf(h / math.sqrt(2))) for h in hidden])
            tokens[i] = token + linear(active, f"{name}.mlp.fc2")
    return np.array([norm(token, "norm") for token in tokens])


def test_the_vision_transformer_is_the_published_one(tmp_path: Path) -> None:
    weights = weights_of()
    network = NumpyViT(saved(tmp_path, weights))
    assert network.size == (64, 64)
    picture = np.random.default_rng(1).normal(0, 1, (3, 64, 64)).astype(np.float32)
    expected = plain_forward(weights, picture)
    cls, patches = network.features(picture)
    assert patches.shape == (SIDE, SIDE, WIDTH)
    np.testing.assert_allclose(cls, expected[0], atol=2e-5)
    np.testing.assert_allclose(patches.reshape(-1, WIDTH), expected[1:], atol=2e-5)
    head = weights["head.weight"].astype(np.float64) @ expected[0] + weights["head.bias"]
    np.testing.assert_allclose(network.logits(picture), head, atol=2e-5)


def test_the_error_function_is_near_that_of_the_library() -> None:
    x = np.linspace(-6, 6, 4001, dtype=np.float32)
    assert np.abs(_erf(x) - np.array([math.erf(value) for value in x.tolist()])).max() < 1e-6


def without(weights: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: values for key, values in weights.items() if key != name}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (without(weights_of(), "blocks.1.norm2.bias"), r"lack blocks\.1\.norm2\.bias"),
        (without(weights_of(), "cls_token"), "lack cls_token"),
        ({**weights_of(), "blocks.0.ls1.gamma": np.zeros(WIDTH)}, r"hold blocks\.0\.ls1\.gamma"),
        ({**weights_of(), "dist_token": np.zeros((1, 1, WIDTH))}, "hold dist_token"),
        ({**weights_of(), "pos_embed": np.zeros((1, 16, WIDTH))}, "on a square"),
        ({**weights_of(), "patch_embed.proj.weight": np.zeros((WIDTH, 4, 16, 16))}, "3 channels"),
        ({"a": np.zeros(3)}, "lack cls_token|hold a"),
    ],
)
def test_weights_of_other_networks_are_refused(tmp_path: Path, weights: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"^tiny\.npz: .*({message})"):
        NumpyViT(saved(tmp_path, weights))


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty.npz").touch()
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    np.savez(tmp_path / "objects.npz", cls_token=np.array([{}], object))
    for name in ("text", "empty", "array", "objects", "absent"):
        with pytest.raises(InputError, match=rf"^{name}\.npz: the weights cannot be read"):
            encoder_named(str(tmp_path / f"{name}.npz"))


def test_class_names_have_to_be_as_many_as_classes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 names for 5 classes"):
        NumpyViT(saved(tmp_path, weights_of(), NAMES[:4]))
    assert NumpyViT(saved(tmp_path / "none", weights_of())).classes is None
    headless = {name: values for name, values in weights_of().items() if not name.startswith("head.")}
    assert NumpyViT(saved(tmp_path / "headless", headless, NAMES)).classes is None


# --- encoders --------------------------------------------------------------------------------------------------------


def test_classes_answer_to_all_names_that_are_theirs_alone(tmp_path: Path) -> None:
    encoder = encoder_named(saved(tmp_path, weights_of(), NAMES))
    asked = ("n00000001", "cat", "Tabby", "cat, tabby", "n00000001 cat, tabby", "machine", "crane", "horse", "")
    assert [encoder.number_of(name) for name in asked] == [0, 0, 0, 0, 0, 3, None, None, None]


class Eye:
    """A network that tells what it was shown."""

    version, classes, resample = "1", None, "nearest"
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(self, crop: float | None) -> None:
        self.crop, self.size, self.shown = crop, (4, 4), []  # type: ignore[var-annotated]

    def features(self, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.shown.append(picture)
        return picture.ravel(), picture.transpose(1, 2, 0)

    def logits(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        self.shown.append(picture)
        return picture[0, 0]


def test_an_embedding_sees_the_whole_picture_and_a_class_the_middle() -> None:
    stripes = np.repeat(np.arange(8, dtype=np.uint8)[None, :, None] * 30, 4, axis=0).repeat(3, axis=2)
    shown = {}
    for crop in (1.0, 0.5, None):
        eye: Backend = Eye(crop)
        encoder = Encoder("eye", eye)
        encoder.embed(stripes)
        encoder.classify(stripes)
        whole, shown[crop] = (np.rint(picture[0, 0] * 255 / 30).tolist() for picture in eye.shown)  # type: ignore[attr-defined]
        assert whole == [1, 3, 5, 7]
    assert shown == {1.0: [2, 3, 4, 5], 0.5: [3, 3, 4, 4], None: [1, 3, 5, 7]}


def test_a_picture_is_looked_at_once_and_told_from_others() -> None:
    eye = Eye(None)
    encoder = Encoder("eye", eye)
    first, second = cells(0, 1), cells(1, 1)
    assert encoder.embed(first) is encoder.embed(first.copy())
    assert not np.array_equal(encoder.embed(second).cls, encoder.embed(first).cls)
    encoder.embed(first.reshape(2, 8, 3))  # the same bytes in another shape
    assert len(eye.shown) == 3
    for seed in range(100):
        encoder.embed(cells(seed, 1))
    assert len(encoder._embeddings) == 16


@pytest.mark.parametrize("spec", ["", "deit", "model.onnx", "timm:", "jax:deit", "a/b/c", "tiny.safetensors"])
def test_unknown_forms_of_encoders_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"^encoder is .*give a \.npz file, timm:NAME, transformers:NAME"):
        encoder_named(spec)


# --- encoders of timm and Transformers -------------------------------------------------------------------------------


def timm_folder(timm: Any, folder: Path, name: str, state: Any = None, **arguments: Any) -> str:
    from safetensors.torch import save_file

    model = timm.create_model(name, **arguments)
    if state is not None:
        model.load_state_dict(state)
    folder.mkdir(exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    side, given = arguments.get("img_size", 224), model.pretrained_cfg
    settings = {
        "input_size": [3, side, side],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "num_classes": arguments["num_classes"],
        **{key: given[key] for key in ("first_conv", "classifier")},
    }
    plain = {key: value for key, value in arguments.items() if key != "num_classes"}
    config = {"architecture": name, "num_classes": arguments["num_classes"], "model_args": plain}
    (folder / "config.json").write_text(json.dumps({**config, "pretrained_cfg": settings}), encoding="utf-8")
    return f"timm:local-dir:{folder}"


def test_numpy_and_timm_agree_about_deit_tiny(shared_data: Path, tmp_path: Path, torch: Any, timm: Any) -> None:
    file = shared_data / "weights" / "deit_tiny_fp16.npz"
    state = {name: torch.from_numpy(values.astype(np.float32)) for name, values in np.load(file).items()}
    theirs = encoder_named(timm_folder(timm, tmp_path / "deit", "deit_tiny_patch16_224", state, num_classes=1000))
    ours = encoder_named(str(file))
    assert theirs.classes == ours.classes
    for path in sorted((shared_data / "photos" / "imagenet").glob("*.JPEG"))[:3]:
        pixels = np.asarray(Image.open(BytesIO(path.read_bytes())).convert("RGB"))
        a, b = ours.embed(pixels), theirs.embed(pixels)
        np.testing.assert_allclose(a.cls, b.cls, atol=1e-3)
        np.testing.assert_allclose(a.patches, b.patches, atol=5e-3)
        assert ours.classify(pixels) == theirs.classify(pixels)


@pytest.mark.parametrize(
    ("name", "arguments", "grid"),
    [
        ("vit_tiny_patch16_224", {"img_size": 64, "num_classes": 0, "depth": 1}, (4, 4)),
        ("vit_small_patch14_reg4_dinov2", {"img_size": 70, "num_classes": 0, "depth": 1}, (5, 5)),
        ("resnet18", {"num_classes": 10}, (7, 7)),
        ("convnext_atto", {"num_classes": 0}, (7, 7)),
        ("swin_tiny_patch4_window7_224", {"num_classes": 0}, (7, 7)),
    ],
)
def test_encoders_of_timm(tmp_path: Path, timm: Any, name: str, arguments: Any, grid: tuple[int, int]) -> None:
    spec = timm_folder(timm, tmp_path / name, name, **arguments)
    encoder = encoder_named(spec)
    embedding = encoder.embed(cells(0))
    assert embedding.patches.shape[:2] == grid
    assert embedding.cls.ndim == 1
    assert encoder.version.startswith("timm ")
    assert "sha256" in encoder.version
    assert not np.array_equal(encoder.embed(cells(1)).cls, embedding.cls)


PROCESSORS = {
    "squash": {"size": {"height": 64, "width": 64}, "resample": 2},
    "crop": {"size": {"shortest_edge": 80}, "crop_size": {"height": 64, "width": 64}, "do_center_crop": True},
}
SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}


@pytest.mark.parametrize(
    ("kind", "settings", "processor", "grid", "crop"),
    [
        ("Dinov2", {"image_size": 70, "patch_size": 14}, "crop", (5, 5), 0.8),
        ("Dinov2WithRegisters", {"image_size": 70, "patch_size": 14, "num_register_tokens": 4}, "crop", (5, 5), 0.8),
        ("ViT", {"image_size": 64, "patch_size": 16}, "squash", (4, 4), None),
        ("SiglipVision", {"image_size": 64, "patch_size": 16}, "squash", (4, 4), None),
        ("ConvNext", {"image_size": 64, "depths": [1] * 4, "hidden_sizes": [8, 8, 16, 32]}, "squash", (2, 2), None),
    ],
)
def test_encoders_of_transformers(
    tmp_path: Path, transformers: Any, kind: str, settings: Any, processor: str, grid: tuple[int, int], crop: float
) -> None:
    plain = {} if kind == "ConvNext" else SMALL
    model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**plain, **settings))
    spec = transformers_folder(model, tmp_path / "model", processor)
    encoder = encoder_named(spec)
    assert encoder._backend.crop == crop
    embedding = encoder.embed(cells(0))
    assert embedding.patches.shape == (*grid, 32)
    assert embedding.cls.shape == (32,)
    assert encoder.classes is None
    assert not np.array_equal(encoder.embed(cells(1)).cls, embedding.cls)


def transformers_folder(model: Any, folder: Path, processor: str) -> str:
    model.save_pretrained(folder)
    settings = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, **PROCESSORS[processor]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return f"transformers:{folder}"


def test_classes_of_transformers_are_known_by_name(tmp_path: Path, transformers: Any) -> None:
    names = {0: "tabby, tabby cat", 1: "dog"}
    config = transformers.ViTConfig(image_size=64, patch_size=16, **SMALL, id2label=names)
    spec = transformers_folder(transformers.ViTForImageClassification(config), tmp_path / "model", "crop")
    encoder = encoder_named(spec)
    assert [encoder.number_of(name) for name in ("tabby cat", "Dog", "mug")] == [0, 1, None]
    assert encoder.classify(cells(0)) in (0, 1)


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_an_encoder_that_cannot_be_loaded_says_why(tmp_path: Path, library: str, request: Any) -> None:
    request.getfixturevalue(library)
    (tmp_path / "config.json").write_text("{}")
    spec = f"timm:local-dir:{tmp_path}" if library == "timm" else f"transformers:{tmp_path}"
    with pytest.raises(UsageError, match=r"^encoder is .*: it cannot be loaded \(.+\): give"):
        encoder_named(spec)
