"""Importance by attention: the same as what the models themselves say, on small networks made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, UsageError
from pixtrim.importance import Attention, importance_of
from pixtrim.importance import attention as module
from pixtrim.importance.heads import BLOCK, Layer, cls_row, column_means, rollout
from pixtrim.importance.networks import network_named
from pixtrim.importance.vit import NumpyViT

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

WIDTH, SIDE, PATCH, DEPTH = 128, 4, 16, 3  # two heads, 64 px


def photo(width: int = 96, height: int = 64, seed: int = 0) -> Pixels:
    """Flat squares, each of its own colour."""
    colours = np.random.default_rng(seed).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    return np.ascontiguousarray(colours.repeat(16, axis=0).repeat(16, axis=1)[:height, :width])


def another(source: Attention, **settings: Any) -> Attention:
    """Other settings for the network that a source has loaded."""
    made = Attention(source._spec, **settings)
    made.__dict__["_network"] = source._network
    return made


def weights_of(seed: int = 0) -> dict[str, NDArray[np.float16]]:
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, SIDE * SIDE + 1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
    }
    linear = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
    for block in (f"blocks.{number}" for number in range(DEPTH)):
        for layer in ("norm1", "norm2"):
            shapes |= {f"{block}.{layer}.weight": (WIDTH,), f"{block}.{layer}.bias": (WIDTH,)}
        for layer, (rows, columns) in linear.items():
            shapes |= {
                f"{block}.{layer}.weight": (rows * WIDTH, columns * WIDTH),
                f"{block}.{layer}.bias": (rows * WIDTH,),
            }
    return {name: rng.normal(0, 0.1, shape).astype(np.float16) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("tiny") / "tiny.npz"
    np.savez(file, **weights_of())
    return str(file)


# --- from queries and keys to tokens ---------------------------------------------------------------------------------


def layer_of(seed: int, tokens: int, heads: int = 3, width: int = 5, pictures: int = 2) -> Layer:
    rng = np.random.default_rng(seed)
    query, key, value = rng.normal(0, 1, (3, pictures, heads, tokens, width)).astype(np.float32)
    return Layer(query, key, value, width**-0.5, np.ones((pictures, tokens), np.float32))


def full(layer: Layer) -> Floats:
    """The whole matrix, head by head and row by row."""
    pictures, heads, tokens, _ = layer.query.shape
    total = np.zeros((pictures, tokens, tokens))
    for picture in range(pictures):
        for head in range(heads):
            for row in range(tokens):
                scores = layer.key[picture, head].astype(np.float64) @ layer.query[picture, head, row] * layer.scale
                total[picture, row] += np.exp(scores) / np.exp(scores).sum() / heads
    return total


@pytest.mark.parametrize("tokens", [1, 7, BLOCK, BLOCK + 3])
def test_rows_columns_and_rollout_are_those_of_the_whole_matrix(tokens: int) -> None:
    layers = [layer_of(seed, tokens) for seed in (0, 1)]
    matrices = [full(layer) for layer in layers]
    np.testing.assert_allclose(cls_row(layers[0], np), matrices[0][:, 0], atol=1e-6)
    np.testing.assert_allclose(column_means(layers[0], np), matrices[0].mean(axis=1), atol=1e-6)
    start = np.zeros((2, tokens), np.float32)
    start[:, 0] = 1
    first, second = ((matrix + np.eye(tokens)) / 2 for matrix in matrices)
    np.testing.assert_allclose(rollout(layers, start, np), (second @ first)[:, 0], atol=1e-6)


def test_large_scores_do_not_overflow() -> None:
    layer = layer_of(0, 4)
    large = Layer(layer.query * 1e4, layer.key, None, 1.0, layer.norms)
    assert np.isfinite(column_means(large, np)).all()


# --- artefacts and ranges --------------------------------------------------------------------------------------------


def test_artefacts_get_the_median_of_their_neighbours() -> None:
    values = np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4)
    norms = np.ones_like(values)
    np.testing.assert_array_equal(module._mended(values, norms), values)
    spike = values.copy()
    spike[0, 1, 1] = 100
    found = module._mended(spike, norms)
    assert found[0, 1, 1] == np.median([1, 2, 3, 5, 7, 9, 10, 11])
    assert (found != spike).sum() == 1
    norms[0, 0, :2] = 3
    found = module._mended(values, norms)
    assert found[0, 0, 0] == np.median([5, 6])
    assert found[0, 0, 1] == np.median([3, 5, 6, 7])


def test_artefacts_among_themselves_get_the_median_of_the_rest() -> None:
    values = np.ones((2, 5, 9), np.float32)
    values[:, :, 6:] = 0.5
    norms = np.ones_like(values)
    norms[0, 1:4, 1:4] = 9  # its centre has no other neighbour
    values[0, 2, 2] = 50
    found = module._mended(values, norms)
    assert found[0, 2, 2] == 1
    np.testing.assert_array_equal(found[1], values[1])


def test_values_are_brought_to_the_whole_range() -> None:
    values = np.linspace(5, 6, 100, dtype=np.float32).reshape(10, 10)
    found = module._unit(values)
    assert (found.min(), found.max()) == (0, 1)
    assert found[5, 5] == pytest.approx(0.5, abs=0.1)
    assert not module._unit(np.full((4, 4), 0.1, np.float32)).any()
    assert not module._unit(np.full((4, 4), 0.1, np.float32) + np.float32(1e-7) * np.eye(4, dtype=np.float32)).any()


# --- NumPy -----------------------------------------------------------------------------------------------------------


def test_the_picture_keeps_its_shape(tiny: str) -> None:
    source = Attention(tiny)
    for width, height, grid in (
        (64, 64, (4, 4)),
        (256, 64, (2, 8)),
        (64, 256, (8, 2)),
        (4000, 4, (1, 16)),
        (4, 900, (16, 1)),
    ):
        assert source.patches([np.zeros((height, width, 3), np.uint8)])[0].shape == grid
        found = source(photo(width, height))
        assert (found.shape, found.dtype) == ((height, width), np.float32)
    assert Attention(tiny, size=128).patches([photo(64, 64)])[0].shape == (8, 8)


@pytest.mark.parametrize("kind", ["auto", "cls", "column", "rollout", "query", "key", "value"])
def test_pictures_together_are_as_each_alone(tiny: str, kind: str) -> None:
    source = Attention(tiny, kind=kind, layers=(0, -1))
    pictures = [photo(96, 64, seed) for seed in range(9)] + [photo(64, 96)]
    for pixels, found in zip(pictures, source.batch(pictures), strict=True):
        alone = source(pixels)
        np.testing.assert_allclose(found, alone, atol=1e-4)
        assert found.min() >= 0
        assert found.max() <= 1
        assert np.ptp(found) > 0.1
    np.testing.assert_array_equal(source(pictures[0]), source(pictures[0]))


def test_layers_are_averaged_and_counted_from_the_end(tiny: str) -> None:
    each = [Attention(tiny, layers=(n,), mend=False).patches([photo()])[0] for n in range(DEPTH)]
    assert not np.allclose(each[0], each[2])
    both = Attention(tiny, layers=(-1, 0), mend=False).patches([photo()])[0]
    np.testing.assert_allclose(both, (each[0] + each[2]) / 2, atol=1e-6)
    assert 0 < both.sum() < 1


def test_later_layers_are_not_run(tiny: str, tmp_path: Path) -> None:
    weights = weights_of()
    for name in weights:
        if name.startswith("blocks.1.") and "norm1" not in name and "qkv" not in name:
            weights[name] = np.full_like(weights[name], np.nan)  # whatever goes through it is lost
    np.savez(tmp_path / "cut.npz", **weights)
    for kind in ("cls", "column", "rollout", "key"):
        expected = Attention(tiny, kind=kind, layers=(1,)).patches([photo()])[0]
        found = Attention(str(tmp_path / "cut.npz"), kind=kind, layers=(1,)).patches([photo()])[0]
        np.testing.assert_array_equal(found, expected)


def test_a_spec_is_a_source(tiny: str) -> None:
    np.testing.assert_array_equal(importance_of(photo(), f"attention:{tiny}"), Attention(tiny)(photo()))
    found = importance_of(photo(), f"attention:{tiny}?kind=key&layers=0,-1&size=128")
    np.testing.assert_array_equal(found, Attention(tiny, kind="key", layers=(0, -1), size=128)(photo()))


@pytest.mark.parametrize("setting", ["heads=3", "layers=last", "size=big", "kind", "&", "layers=", "device=cuda"])
def test_unknown_settings_in_a_spec_are_refused(tiny: str, setting: str) -> None:
    with pytest.raises(UsageError, match=r"is no setting|kind is ''"):
        importance_of(photo(), f"attention:{tiny}?{setting}")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "head"}, "kind is 'head': choose one of auto, cls"),
        ({"layers": ()}, "at least one whole number"),
        ({"layers": (0.5,)}, "at least one whole number"),
        ({"layers": "12"}, "at least one whole number"),
        ({"layers": (DEPTH,)}, rf"layers has {DEPTH}: .* has {DEPTH}, 0 to {DEPTH - 1}"),
        ({"layers": (-DEPTH - 1,)}, "layers has"),
        ({"size": 4}, "16 to 4096"),
        ({"size": 224.0}, "16 to 4096"),
        ({"kind": "pool"}, "has no pooling head"),
    ],
)
def test_settings_out_of_range_are_refused(tiny: str, settings: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Attention(tiny, **settings)(photo())


@pytest.mark.parametrize("spec", ["", "deit", "timm:", "model.onnx", "jax:deit"])
def test_unknown_forms_of_networks_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"^attention is .*give a \.npz file, timm:NAME or transformers:NAME"):
        network_named(spec)


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^absent\.npz: the weights cannot be read"):
        importance_of(photo(), f"attention:{tmp_path / 'absent.npz'}")


def test_deit_tiny_looks_at_the_object(shared_data: Path) -> None:
    source = Attention(str(shared_data / "weights" / "deit_tiny_fp16.npz"), layers=(-3,))
    inside = []
    for path in sorted((shared_data / "photos" / "ecssd").glob("*.jpg"))[:3]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        mask = np.asarray(Image.open(path.with_name(f"{path.stem}_mask.png")).convert("L")) > 127
        found = source(pixels)
        inside.append(found[mask].mean() / found.mean())
    assert np.mean(inside) > 2


# --- PyTorch: the library's own attention ----------------------------------------------------------------------------

SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48}
MODELS = {
    "ViT": {"image_size": 64, "patch_size": 16},
    "DeiT": {"image_size": 64, "patch_size": 16},
    "Dinov2": {"image_size": 70, "patch_size": 14},
    "Dinov2WithRegisters": {"image_size": 70, "patch_size": 14, "num_register_tokens": 4},
    "DINOv3ViT": {"image_size": 64, "patch_size": 16, "num_register_tokens": 4},
    "CLIPVision": {"image_size": 64, "patch_size": 16},
    "SiglipVision": {"image_size": 64, "patch_size": 16},
}
PREFIX = {"DeiT": 2, "Dinov2WithRegisters": 5, "DINOv3ViT": 5, "SiglipVision": 0}


@pytest.fixture(scope="module", params=list(MODELS))
def hosted(request: Any, transformers: Any, torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small random model of Transformers: its spec, its name, and the model with the attention that is plain."""
    kind = request.param
    torch.set_num_threads(1)  # small networks: threads would wait for one another
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**SMALL, **MODELS[kind])
    model = getattr(transformers, f"{kind}Model")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    folder = tmp_path_factory.mktemp(kind)
    model.save_pretrained(folder)
    settings = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": 64, "width": 64}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    eager = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    return f"transformers:{folder}", kind, eager


def attentions(torch: Any, model: Any, source: Attention, pixels: Pixels, **more: Any) -> Floats:
    """The model's own attention, averaged over heads: (layers, tokens, tokens)."""
    view = torch.from_numpy(source._view(pixels, source._grid(pixels)))[None]
    with torch.no_grad():
        found = model(pixel_values=view, output_attentions=True, **more)
    return np.stack([layer[0].mean(dim=0).double().numpy() for layer in found.attentions])


@pytest.mark.parametrize("shape", [(64, 64), (160, 64)])
def test_attention_is_what_transformers_say(hosted: Any, torch: Any, shape: tuple[int, int]) -> None:
    spec, kind, eager = hosted
    pixels, prefix = photo(*shape), PREFIX.get(kind, 1)
    told = {} if kind.startswith(("Dinov2", "DINOv3")) else {"interpolate_pos_encoding": True}
    source = Attention(spec, kind="column", layers=(0, 2), mend=False)
    matrices = attentions(torch, eager, source, pixels, **told)
    grid = source._grid(pixels)
    assert (grid[0] < grid[1]) == (shape[0] > shape[1])
    tokens = matrices.shape[1]
    assert tokens == prefix + grid[0] * grid[1]

    def patches(rows: Floats) -> Floats:
        return rows[prefix:].reshape(grid)

    found = source.patches([pixels])[0]
    np.testing.assert_allclose(found, patches(matrices[[0, 2]].mean(axis=(0, 1))), atol=1e-6, rtol=1e-3)
    found = another(source, kind="rollout", mend=False).patches([pixels])[0]
    product = np.eye(tokens)
    for matrix in matrices:
        product = (matrix + np.eye(tokens)) / 2 @ product
    expected = patches(product[0] if prefix else product.mean(axis=0))
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=1e-3)
    if prefix:
        found = another(source, kind="cls", layers=(1,), mend=False).patches([pixels])[0]
        np.testing.assert_allclose(found, patches(matrices[1][0]), atol=1e-6, rtol=1e-3)
        assert another(source)._plan[0] == "cls"
    else:
        with pytest.raises(UsageError, match="has no class token: choose column"):
            another(source, kind="cls")(pixels)


def test_the_pooling_head_of_siglip_is_asked(hosted: Any, torch: Any) -> None:
    spec, kind, eager = hosted
    if kind != "SiglipVision":
        with pytest.raises(UsageError, match="no pooling head"):
            Attention(spec, kind="pool")(photo())
        return
    source = Attention(spec, mend=False)
    pixels = photo(64, 64)
    seen: list[Any] = []

    def hook(attention: Any, given: Any, result: Any) -> None:
        seen.append(attention.__class__.forward(attention, *given, need_weights=True)[1])

    handle = eager.head.attention.register_forward_hook(hook)
    attentions(torch, eager, source, pixels)
    handle.remove()
    np.testing.assert_allclose(source.patches([pixels])[0].ravel(), seen[0][0, 0], atol=1e-6, rtol=1e-3)
    assert source._plan == ("pool", (3,), ("cls", "key"))


def test_nothing_stays_hooked_and_no_later_layer_is_run(hosted: Any, torch: Any) -> None:
    spec, _, _ = hosted
    source = Attention(spec, kind="key", layers=(1,))
    first = source(photo())
    model = source._network._model  # type: ignore[attr-defined]
    assert not any(each._forward_pre_hooks or each._forward_hooks for each in model.modules())
    with torch.no_grad():
        for parameter in source._network._layers[2].parameters():  # type: ignore[attr-defined]
            parameter.fill_(float("nan"))
    np.testing.assert_array_equal(source(photo()), first)
    assert np.ptp(first) > 0.5


# --- timm ------------------------------------------------------------------------------------------------------------

TIMM: dict[str, dict[str, Any]] = {
    "vit_tiny_patch16_224": {"img_size": 64, "num_classes": 0},
    "deit_tiny_distilled_patch16_224": {"img_size": 64, "num_classes": 0},
    "vit_small_patch14_reg4_dinov2": {"img_size": 56, "num_classes": 0},
    "vit_small_patch16_dinov3": {"img_size": 64, "num_classes": 0},
    "vit_base_patch16_siglip_224": {"img_size": 64, "num_classes": 0},
    "eva02_tiny_patch14_224": {"img_size": 56, "num_classes": 0},
}


@pytest.fixture(scope="module", params=list(TIMM))
def timmed(request: Any, timm: Any, torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from safetensors.torch import save_file

    name = request.param
    arguments = {**TIMM[name], "depth": 2}
    torch.set_num_threads(1)  # small networks: threads would wait for one another
    torch.manual_seed(0)
    model = timm.create_model(name, **arguments)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    folder = tmp_path_factory.mktemp(name)
    save_file({key: values.contiguous() for key, values in model.state_dict().items()}, folder / "model.safetensors")
    side = arguments["img_size"]
    given = {key: model.pretrained_cfg.get(key) for key in ("first_conv", "classifier")}
    settings = {"input_size": [3, side, side], "mean": [0.5] * 3, "std": [0.5] * 3, "num_classes": 0, **given}
    plain = {key: value for key, value in arguments.items() if key != "num_classes"}
    config = {"architecture": name, "num_classes": 0, "model_args": plain, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    plain_model = timm.create_model(f"local-dir:{folder}", pretrained=True, dynamic_img_size=True).eval()
    for each in plain_model.modules():
        if hasattr(each, "fused_attn"):
            each.fused_attn = False
    return f"timm:local-dir:{folder}", name, plain_model


@pytest.mark.parametrize("shape", [(64, 64), (160, 64)])
def test_attention_is_what_timm_works_out(timmed: Any, torch: Any, shape: tuple[int, int]) -> None:
    spec, name, plain = timmed
    pixels = photo(*shape)
    source = Attention(spec, kind="column", layers=(0, 1), mend=False)
    grid = source._grid(pixels)
    matrices: list[Any] = []
    pooled: list[Any] = []
    hooks = [
        block.attn.attn_drop.register_forward_hook(lambda _, given, result: matrices.append(result[0].mean(dim=0)))
        for block in plain.blocks
    ]
    if "siglip" in name:
        pool = plain.attn_pool
        hooks.append(pool.register_forward_hook(lambda _, given, result: pooled.append(given[0])))
    with torch.no_grad():
        plain(torch.from_numpy(source._view(pixels, grid))[None])
    for hook in hooks:
        hook.remove()
    prefix = plain.num_prefix_tokens

    def patches(rows: Any) -> Any:
        return rows[prefix:].reshape(grid).numpy()

    assert matrices[0].shape[0] == prefix + grid[0] * grid[1]
    expected = patches(torch.stack(matrices).mean(dim=(0, 1)))
    np.testing.assert_allclose(source.patches([pixels])[0], expected, atol=1e-6, rtol=1e-3)
    found = another(source, mend=False).patches([pixels])[0]
    if "siglip" in name:
        query = pool.q(pool.latent.detach()).reshape(1, pool.num_heads, -1)
        key = pool.kv(pooled[0])[0].reshape(-1, 2, pool.num_heads, pool.head_dim)[:, 0]
        scores = torch.einsum("qhd,khd->hqk", query, key) * pool.scale
        np.testing.assert_allclose(found, patches(scores.softmax(dim=-1).mean(dim=0)[0].detach()), atol=1e-6, rtol=1e-3)
    else:
        np.testing.assert_allclose(found, patches(matrices[1][0]), atol=1e-6, rtol=1e-3)
    product = torch.eye(len(matrices[0]))
    for matrix in matrices:
        product = (matrix + torch.eye(len(matrix))) / 2 @ product
    expected = patches(product[0] if source._network.cls is not None else product.mean(dim=0))
    np.testing.assert_allclose(
        another(source, kind="rollout", mend=False).patches([pixels])[0], expected, atol=1e-6, rtol=1e-3
    )
    model = source._network._model  # type: ignore[attr-defined]
    assert not any(each._forward_pre_hooks or each._forward_hooks for each in model.modules())


def test_networks_without_plain_attention_are_refused(timm: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    small = {"resnet10t": {}, "swin_tiny_patch4_window7_224": {"embed_dim": 24, "depths": (1, 1), "num_heads": (1, 2)}}
    for name, arguments in small.items():
        folder = tmp_path / name
        folder.mkdir()
        model = timm.create_model(name, **arguments)
        save_file(model.state_dict(), folder / "model.safetensors")
        config = {"architecture": name, "num_classes": 1000, "model_args": arguments}
        config["pretrained_cfg"] = {"input_size": [3, 224, 224], "first_conv": "stem", "classifier": "head"}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        with pytest.raises(UsageError, match="no plain attention: choose a ViT"):
            network_named(f"timm:local-dir:{folder}")


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_a_network_that_cannot_be_loaded_says_why(tmp_path: Path, library: str, request: Any) -> None:
    request.getfixturevalue(library)
    (tmp_path / "config.json").write_text("{}")
    spec = f"timm:local-dir:{tmp_path}" if library == "timm" else f"transformers:{tmp_path}"
    with pytest.raises(UsageError, match=r"^attention is .*: it cannot be loaded \(.+\): give"):
        network_named(spec)


def test_numpy_and_timm_attend_alike(tiny: str, timm: Any, torch: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {name: torch.from_numpy(values.astype(np.float32)) for name, values in np.load(tiny).items()}
    save_file(state, tmp_path / "model.safetensors")
    arguments = {"img_size": 64, "depth": DEPTH, "embed_dim": WIDTH, "num_heads": 2}
    mean, std = list(NumpyViT.mean), list(NumpyViT.std)
    settings = {"input_size": [3, 64, 64], "mean": mean, "std": std, "num_classes": 0, "interpolation": "bicubic"}
    settings |= {"first_conv": "patch_embed.proj", "classifier": "head"}
    config = {"architecture": "vit_tiny_patch16_224", "num_classes": 0, "model_args": arguments}
    (tmp_path / "config.json").write_text(json.dumps({**config, "pretrained_cfg": settings}), encoding="utf-8")
    sources = [Attention(spec) for spec in (tiny, f"timm:local-dir:{tmp_path}")]
    for kind in ("cls", "column", "rollout", "query", "key", "value"):
        for pixels in (photo(64, 64), photo(176, 64), photo(48, 160)):
            ours, theirs = (another(source, kind=kind).patches([pixels])[0] for source in sources)
            np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-2)
