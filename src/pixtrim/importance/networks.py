"""Vision transformers of timm and of Transformers, asked for the queries and keys of their layers."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import PixtrimError, UsageError, require
from pixtrim.importance.heads import Layer
from pixtrim.importance.vit import NumpyViT

__all__ = ["FORMS", "Network", "TimmNetwork", "TransformersNetwork", "network_named"]

Floats = NDArray[np.float32]

FORMS: Final = "a .npz file, timm:NAME or transformers:NAME"
FILTERS: Final = {name: Image.Resampling[name.upper()] for name in ("bilinear", "bicubic", "lanczos", "nearest")}


class Network(Protocol):
    """A vision transformer that can be asked.

    Attributes
    ----------
    xp : module
        What its arrays are of: numpy or torch.
    patch : tuple of int, (height, width)
        In pixels.
    grid : tuple of int, (rows, columns)
        The patches that it was trained with; all that it takes, unless it is `flexible`.
    depth : int
        How many layers it has.
    cls : int or None
        The number of its class token.
    pools : bool
        Whether it ends in a head that pools by attention.
    mean, std, resample
        What pictures in [0, 1] are normalised by, and the filter that they are resized with.
    """

    xp: Any
    patch: tuple[int, int]
    grid: tuple[int, int]
    flexible: bool
    depth: int
    cls: int | None
    pools: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resample: str

    def look(self, pictures: Floats, layers: Sequence[int], need: Collection[str]) -> list[Layer]:
        """Run up to the last of some layers and return what they ask.

        Parameters
        ----------
        pictures : ndarray
            float32 (pictures, 3, H, W), normalised, whole patches.
        layers : sequence of int
            Ascending, in [0, depth); `depth` stands for the pooling head.
        need : collection of str
            Of ``"cls"`` (the query of the class token alone), ``"query"``, ``"key"`` and ``"value"``.
        """
        ...


class _Enough(Exception):  # noqa: N818 - no error: what was asked for is there
    """Ends the run of a network behind the last layer that is needed."""


class TimmNetwork:
    """A vision transformer of timm with blocks of plain attention, with or without rotary positions. See `Network`."""

    _ATTENTION: Final = ("Attention", "AttentionRope", "EvaAttention")

    def __init__(self, name: str, device: str = "auto") -> None:
        self.xp = require("torch", "vit", "attention of timm")
        timm = require("timm", "vit", "attention of timm")
        self._rotate = require("timm.layers", "vit", "attention of timm").apply_rot_embed_cat
        self._device = _device(self.xp, device)
        try:
            model = timm.create_model(name, pretrained=True, dynamic_img_size=True)
            self.flexible = True
        except TypeError:  # it knows no such argument
            model = timm.create_model(name, pretrained=True)
            self.flexible = False
        self._model = model.eval().to(self._device)
        blocks = list(getattr(model, "blocks", []))
        kinds = {type(getattr(block, "attn", None)).__name__ for block in blocks}
        if not blocks or not kinds <= set(self._ATTENTION) or any(_groups(block.attn) != 1 for block in blocks):
            raise UsageError(f"{name}: its blocks have no plain attention: choose a ViT, DeiT, DINO or EVA")
        self._blocks, self.depth = blocks, len(blocks)
        self.patch = _pair(model.patch_embed.patch_size)
        config = timm.data.resolve_model_data_config(model)
        self.grid = config["input_size"][1] // self.patch[0], config["input_size"][2] // self.patch[1]
        self.cls = 0 if getattr(model, "cls_token", None) is not None else None
        pool: Any = getattr(model, "attn_pool", None)
        self.pools = type(pool).__name__ == "AttentionPoolLatent" and pool.pos_embed is None
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self.resample = config["interpolation"] if config["interpolation"] in FILTERS else "bicubic"

    def look(self, pictures: Floats, layers: Sequence[int], need: Collection[str]) -> list[Layer]:
        found: dict[int, Layer] = {}
        norms: dict[int, Any] = {}
        last = layers[-1]

        def entered(number: int) -> Any:
            def hook(_: Any, given: tuple[Any, ...]) -> None:
                norms[number] = given[0].norm(dim=-1)

            return hook

        def asked(number: int) -> Any:
            def hook(attention: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
                rope = named.get("rope", given[1] if len(given) > 1 else None)
                found[number] = self._layer(attention, given[0], rope, norms[number], need)
                if number == last:
                    raise _Enough

            return hook

        def pooled(pool: Any, given: tuple[Any, ...]) -> None:
            x = given[0]
            query = _split(pool.q(pool.latent.expand(len(x), -1, -1)), pool.num_heads)
            key, value = (_split(part, pool.num_heads) for part in pool.kv(x).chunk(2, dim=-1))
            found[self.depth] = Layer(pool.q_norm(query), pool.k_norm(key), value, pool.scale, x.norm(dim=-1))
            raise _Enough

        hooks = []
        for number in layers:
            if number == self.depth:
                hooks.append(self._model.attn_pool.register_forward_pre_hook(pooled))
                continue
            block = self._blocks[number]
            hooks.append(block.register_forward_pre_hook(entered(number)))
            hooks.append(block.attn.register_forward_pre_hook(asked(number), with_kwargs=True))
        with _removed(hooks), self.xp.inference_mode(), suppress(_Enough):
            self._model(self.xp.from_numpy(pictures).to(self._device))
        return [found[number] for number in layers]

    def _layer(self, attention: Any, x: Any, rope: Any, norms: Any, need: Collection[str]) -> Layer:
        heads, functional = attention.num_heads, self.xp.nn.functional
        weights, biases = _projections(attention)
        made: dict[str, Any] = {}
        for part in ("query", "key", "value"):
            first = part == "query" and "cls" in need and "query" not in need
            if part in need or first:
                flat = functional.linear(x[:, :1] if first else x, weights[part], biases[part])
                made[part] = _split(flat, heads)
        for part, norm in (("query", attention.q_norm), ("key", attention.k_norm)):
            if part in made:
                made[part] = norm(made[part])
                if rope is not None and (part == "key" or "query" in need or not attention.num_prefix_tokens):
                    made[part] = self._turned(attention, made[part], rope)
        return Layer(made.get("query"), made.get("key"), made.get("value"), attention.scale, norms)

    def _turned(self, attention: Any, x: Any, rope: Any) -> Any:
        prefix, half = attention.num_prefix_tokens, getattr(attention, "rotate_half", False)
        return self.xp.cat([x[:, :, :prefix], self._rotate(x[:, :, prefix:], rope, half=half).to(x.dtype)], dim=2)


class TransformersNetwork:
    """A vision encoder of Transformers, or the vision part of a model of pictures and text. See `Network`.

    The queries and keys are those that the library hands to its attention function: by its own extension point, the
    model that is loaded here gets one that looks at them first.
    """

    _AUTOMATIC: Final = ("dinov2", "dinov2_with_registers", "dinov3_vit")  # any size, without being told
    _OURS: Final = "pixtrim_looks_on"

    def __init__(self, name: str, device: str = "auto") -> None:
        self.xp = require("torch", "vit", "attention of Transformers")
        library = require("transformers", "vit", "attention of Transformers")
        processors = require(
            "transformers.models.auto.image_processing_auto", "vit", "attention of Transformers"
        )  # the settings alone: the processors themselves may need torchvision
        self._device = _device(self.xp, device)
        library.AttentionInterface.register(self._OURS, _look_on)
        model = library.AutoModel.from_pretrained(name, dtype=self.xp.float32, attn_implementation=self._OURS)
        self._model = getattr(model, "vision_model", model).eval().to(self._device)
        config = self._model.config
        self.depth = int(config.num_hidden_layers)
        lists = [m for m in self._model.modules() if isinstance(m, self.xp.nn.ModuleList) and len(m) == self.depth]
        if not lists:
            raise UsageError(f"{name}: it has no list of layers: choose a ViT, DeiT, DINO, CLIP or SigLIP")
        self._layers = list(lists[0])
        self.patch = _pair(config.patch_size)
        height, width = _pair(config.image_size)
        self.grid = height // self.patch[0], width // self.patch[1]
        takes = inspect.signature(self._model.forward).parameters
        self._told = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in takes else {}
        self.flexible = bool(self._told) or config.model_type in self._AUTOMATIC
        self._head = getattr(self._model, "head", None)
        self.pools = isinstance(getattr(self._head, "attention", None), self.xp.nn.MultiheadAttention)
        settings = processors.get_image_processor_config(name)
        if "image_mean" not in settings:
            raise UsageError(f"{name}: it comes without the settings of an image processor (image_mean)")
        self.mean, self.std = tuple(settings["image_mean"]), tuple(settings["image_std"])
        self.resample = Image.Resampling(settings.get("resample", Image.Resampling.BICUBIC)).name.lower()
        self.cls = 0 if self._prefix() else None

    def _prefix(self) -> int:
        """Return how many tokens stand before the patches."""
        height, width = (count * side for count, side in zip(self.grid, self.patch, strict=True))
        (layer,) = self.look(np.zeros((1, 3, height, width), np.float32), (0,), ("key",))
        return int(layer.key.shape[2]) - self.grid[0] * self.grid[1]

    def look(self, pictures: Floats, layers: Sequence[int], need: Collection[str]) -> list[Layer]:
        found: dict[int, Layer] = {}
        norms: dict[int, Any] = {}
        calls = iter(range(self.depth))

        def entered(number: int) -> Any:
            def hook(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
                norms[number] = (given[0] if given else named["hidden_states"]).norm(dim=-1)

            return hook

        def seen(query: Any, key: Any, value: Any, scale: float) -> None:
            number = next(calls)
            if number in layers:
                found[number] = Layer(query, key, value, scale, norms[number])
            if number == layers[-1]:
                raise _Enough

        def pooled(head: Any, given: tuple[Any, ...]) -> None:
            found[self.depth] = self._pooled(head, given[0])
            raise _Enough

        hooks = [
            self._layers[n].register_forward_pre_hook(entered(n), with_kwargs=True) for n in layers if n < self.depth
        ]
        if layers[-1] == self.depth and self._head is not None:
            hooks.append(self._head.register_forward_pre_hook(pooled))
        with _removed(hooks), _watched(seen), self.xp.inference_mode(), suppress(_Enough):
            self._model(pixel_values=self.xp.from_numpy(pictures).to(self._device), **self._told)
        if len(found) != len(layers):
            raise UsageError(f"{type(self._model).__name__}: its attention cannot be asked: choose another network")
        return [found[number] for number in layers]

    def _pooled(self, head: Any, x: Any) -> Layer:
        attention, linear = head.attention, self.xp.nn.functional.linear
        weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
        given = (head.probe.expand(len(x), -1, -1), x, x)
        query, key, value = (
            _split(linear(*each), attention.num_heads) for each in zip(given, weights, biases, strict=True)
        )
        return Layer(query, key, value, attention.head_dim**-0.5, x.norm(dim=-1))


def network_named(spec: str, device: str = "auto") -> Network:
    """Load a network.

    Parameters
    ----------
    spec : str
        ``"weights/deit_tiny.npz"``: weights of a plain ViT under timm's parameter names, computed by NumPy.
        ``"timm:vit_small_patch14_reg4_dinov2.lvd142m"``, ``"timm:local-dir:FOLDER"``: what ``timm.create_model`` takes.
        ``"transformers:facebook/dinov2-small"``, ``"transformers:FOLDER"``: what ``AutoModel`` takes.
    device : str
        What PyTorch calls it; ``"auto"`` is a GPU where there is one. NumPy knows none.

    Raises
    ------
    UsageError
        If it cannot be loaded, or has no attention that can be asked: the message says why.
    InputError
        If a file is no such weights.
    MissingExtraError
        If PyTorch or the library is not installed.
    """
    library, colon, name = spec.partition(":")
    try:
        if colon and name and library == "timm":
            return TimmNetwork(name, device)
        if colon and name and library == "transformers":
            return TransformersNetwork(name, device)
        if spec.lower().endswith(".npz"):
            return NumpyViT(spec)
    except PixtrimError:
        raise
    except Exception as error:  # the libraries raise whatever their hubs, files and networks do
        why = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"attention is {spec!r}: it cannot be loaded ({why:.120}): give {FORMS}") from error
    raise UsageError(f"attention is {spec!r}: give {FORMS}")


_LOOKERS = threading.local()


def _look_on(module: Any, query: Any, key: Any, value: Any, mask: Any, **settings: Any) -> Any:
    """Attend as the library does by default, and show queries, keys and values to whoever looks on in this thread."""
    looker = getattr(_LOOKERS, "now", None)
    if looker is not None:
        scale = settings.get("scaling")
        looker(query, key, value, query.shape[-1] ** -0.5 if scale is None else scale)
    attend = sys.modules["transformers.modeling_utils"].ALL_ATTENTION_FUNCTIONS["sdpa"]
    return attend(module, query, key, value, mask, **settings)


@contextmanager
def _watched(looker: Any) -> Iterator[None]:
    _LOOKERS.now = looker
    try:
        yield
    finally:
        del _LOOKERS.now


@contextmanager
def _removed(hooks: Sequence[Any]) -> Iterator[None]:
    """Remove hooks at the end."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _projections(attention: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return weights and biases of a timm attention's query, key and value, whether they are one layer or three."""
    parts = ("query", "key", "value")
    if attention.qkv is None:
        layers = (attention.q_proj, attention.k_proj, attention.v_proj)
        return dict(zip(parts, (layer.weight for layer in layers), strict=True)), dict(
            zip(parts, (layer.bias for layer in layers), strict=True)
        )
    weights = attention.qkv.weight.chunk(3)
    if attention.qkv.bias is not None:
        biases = attention.qkv.bias.chunk(3)
    else:
        biases = tuple(getattr(attention, f"{letter}_bias", None) for letter in "qkv")
    return dict(zip(parts, weights, strict=True)), dict(zip(parts, biases, strict=True))


def _split(x: Any, heads: int) -> Any:
    """(pictures, tokens, heads * width) to (pictures, heads, tokens, width)."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def _groups(attention: Any) -> int:
    return int(getattr(attention, "num_kv_groups", 1))


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _device(torch: Any, device: str) -> Any:
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
