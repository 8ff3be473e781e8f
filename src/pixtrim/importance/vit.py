"""The forward pass of a plain vision transformer in NumPy, for weights under timm's parameter names."""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError
from pixtrim.importance.heads import Layer

__all__ = ["CLASSES", "NumpyViT"]

Floats = NDArray[np.float32]

CLASSES: Final = "imagenet_synsets.txt"
"""The file beside the weights that names their classes, one a line: ``n01440764 tench, Tinca tinca``."""

HEAD: Final = 64
"""Width of one attention head, in DeiT and the ViT of [1]_ at each of their sizes."""

EPSILON: Final = 1e-6  # of layer normalisation, as timm has it

_OUTSIDE = ("cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "norm.bias")
_HEAD = ("head.weight", "head.bias")
_BLOCK = tuple(
    f"{layer}.{part}"
    for layer in ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    for part in ("weight", "bias")
)


class NumpyViT:
    """A ViT [1]_ or DeiT [2]_ without distillation, with or without a head for classes.

    Parameters
    ----------
    path : path
        A .npz file with one array for each parameter, in any float type; computing is in float32. Class names are
        read from ``imagenet_synsets.txt`` beside it, where there is one.

    Attributes
    ----------
    version : str
        The file's name, without its folder, and the start of the SHA-256 of the file and of the class names.
    size : tuple of int, (height, width)
        Of the pictures that it takes, in pixels.
    mean, std : tuple of float
        By which the channels of pictures in [0, 1] are normalised: those of ImageNet.
    crop, resample : float, str
        What its classes were measured with: the middle 0.9 of the picture, resized by Pillow's bicubic filter.
    classes : tuple of str or None
        The names of its classes, if it has a head and the names are known.
    patch, grid, depth, cls, pools, flexible
        As `pixtrim.importance.networks.Network` has them.

    Raises
    ------
    InputError
        If the file cannot be read or holds something else.

    References
    ----------
    .. [1] A. Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv:2010.11929, 2020.
    .. [2] H. Touvron et al., "Training data-efficient image transformers", arXiv:2012.12877, 2020.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    crop: float | None = 0.9
    resample: str = "bicubic"
    xp: Any = np
    flexible: bool = True
    cls: int | None = 0
    pools: bool = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        file = Path(path)
        try:
            digest = hashlib.sha256(file.read_bytes())
            with np.load(file) as arrays:
                self._weights: dict[str, Floats] = {name: arrays[name].astype(np.float32) for name in arrays.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:  # TypeError: one array alone
            raise InputError(f"{file.name}: the weights cannot be read ({error!s:.80}): give a .npz file") from None
        self._check(file.name)
        weight = self._weights["patch_embed.proj.weight"]
        self._width, _, patch, _ = weight.shape
        side = math.isqrt(self._weights["pos_embed"].shape[1] - 1)
        self.patch: tuple[int, int] = (patch, patch)
        self.grid: tuple[int, int] = (side, side)
        self.size: tuple[int, int] = (side * patch, side * patch)
        self.classes: tuple[str, ...] | None = self._classes(file.parent / CLASSES)
        digest.update("\n".join(self.classes or ()).encode())
        self.version = f"{file.name} sha256 {digest.hexdigest()[:12]}"

    def features(self, picture: Floats) -> tuple[Floats, Floats]:
        """Return what the last block says of a normalised picture.

        Parameters
        ----------
        picture : ndarray
            float32 (3, H, W), normalised, whole patches. For other sizes than `size`, the positions are interpolated.

        Returns
        -------
        cls : ndarray
            float32 (D,)
        patches : ndarray
            float32 (rows, columns, D)
        """
        *_, x = self._states(picture)
        x = self._normed(x, "norm")
        return x[0], x[1:].reshape(picture.shape[1] // self.patch[0], picture.shape[2] // self.patch[1], -1)

    def logits(self, picture: Floats) -> Floats:
        """Return the score of each class, float32 (classes,), for a picture as `features` takes it."""
        return self._linear(self.features(picture)[0], "head")

    def look(self, pictures: Floats, layers: Sequence[int], need: Collection[str]) -> list[Layer]:
        """Return what some layers ask: see `pixtrim.importance.networks.Network`."""
        looked = [self._looked_at(picture, layers, need) for picture in pictures]
        return [_stacked(same) for same in zip(*looked, strict=True)]

    def _looked_at(self, picture: Floats, layers: Sequence[int], need: Collection[str]) -> list[Layer]:
        found = []
        first = "cls" in need and "query" not in need
        for number, x in enumerate(self._states(picture)):
            if number in layers:
                normal = self._normed(x, f"blocks.{number}.norm1")
                query, key, value = (
                    self._part(normal, number, place)[None] if part in need else None
                    for place, part in enumerate(("query", "key", "value"))
                )
                if first:
                    query = self._part(normal[:1], number, 0)[None]
                found.append(Layer(query, key, value, 1 / math.sqrt(HEAD), np.sqrt((x**2).sum(axis=1))[None]))
            if number == layers[-1]:
                break
        return found

    def _part(self, x: Floats, number: int, place: int) -> Floats:
        """Return the queries, keys or values of normalised tokens: (heads, tokens, HEAD)."""
        name, rows = f"blocks.{number}.attn.qkv", slice(place * self._width, (place + 1) * self._width)
        flat = x @ self._weights[f"{name}.weight"][rows].T + self._weights[f"{name}.bias"][rows]
        result: Floats = flat.reshape(len(x), -1, HEAD).transpose(1, 0, 2)
        return result

    def _states(self, picture: Floats) -> Iterator[Floats]:
        """Yield the tokens as they enter each block, float32 (tokens, D), and at last as they leave the last one."""
        w, patch = self._weights, self.patch[0]
        rows, columns = picture.shape[1] // patch, picture.shape[2] // patch
        blocks = picture.reshape(3, rows, patch, columns, patch).transpose(1, 3, 0, 2, 4).reshape(rows * columns, -1)
        tokens = blocks @ w["patch_embed.proj.weight"].reshape(self._width, -1).T + w["patch_embed.proj.bias"]
        x = np.concatenate([w["cls_token"][0], tokens]) + self._positions(rows, columns)
        for number in range(self.depth):
            yield x
            block = f"blocks.{number}."
            x = x + self._attention(self._normed(x, f"{block}norm1"), number)
            hidden = _gelu(self._linear(self._normed(x, f"{block}norm2"), f"{block}mlp.fc1"))
            x = x + self._linear(hidden, f"{block}mlp.fc2")
        yield x

    def _attention(self, x: Floats, number: int) -> Floats:
        query, key, value = (self._part(x, number, place) for place in range(3))
        scores = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(HEAD))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = scores @ value / scores.sum(axis=-1, keepdims=True)
        return self._linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), f"blocks.{number}.attn.proj")

    def _positions(self, rows: int, columns: int) -> Floats:
        """Return what is added for the places of a grid, float32 (1 + rows * columns, D), interpolated bicubically."""
        known, (side, _) = self._weights["pos_embed"][0], self.grid
        if (rows, columns) == self.grid:
            return np.asarray(known)
        plane: Floats = known[1:].reshape(side, side, -1)
        tall: Floats = np.tensordot(_interpolation(side, rows), plane, 1)
        wide: Floats = np.tensordot(_interpolation(side, columns), tall, ((1,), (1,))).transpose(1, 0, 2)
        result: Floats = np.concatenate([known[:1], wide.reshape(rows * columns, -1)])
        return result

    def _linear(self, x: Floats, name: str) -> Floats:
        result: Floats = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result

    def _normed(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        result: Floats = centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return result

    def _check(self, name: str) -> None:
        """Refuse weights of another architecture, which would run and be wrong."""
        found = set(self._weights)
        self.depth = len({key.split(".")[1] for key in found if key.startswith("blocks.")})
        expected = {*_OUTSIDE, *(f"blocks.{i}.{part}" for i in range(self.depth) for part in _BLOCK)}
        expected |= {*_HEAD} & found
        if odd := sorted(found ^ expected):
            what = "lack" if odd[0] in expected else "hold"
            raise InputError(f"{name}: the weights {what} {odd[0]}: those of a plain ViT by timm's names are needed")
        proj, places = self._weights["patch_embed.proj.weight"].shape, self._weights["pos_embed"].shape
        square = len(places) == 3 and math.isqrt(max(0, places[1] - 1)) ** 2 + 1 == places[1]
        if len(proj) != 4 or proj[0] % HEAD or proj[1] != 3 or proj[2] != proj[3] or not square:
            raise InputError(
                f"{name}: patches of shape {proj} at places of shape {places}: square ones of 3 channels, on a square, "
                f"for heads {HEAD} wide are needed"
            )

    def _classes(self, file: Path) -> tuple[str, ...] | None:
        if "head.weight" not in self._weights or not file.is_file():
            return None
        names = tuple(file.read_text(encoding="utf-8").splitlines())
        if len(names) != len(self._weights["head.weight"]):
            raise InputError(f"{file.name}: {len(names)} names for {len(self._weights['head.weight'])} classes")
        return names


def _stacked(layers: Sequence[Layer]) -> Layer:
    """Return what the same layer asks of several pictures as one."""
    query, key, value, norms = (
        None if (parts := [getattr(layer, name) for layer in layers])[0] is None else np.concatenate(parts)
        for name in ("query", "key", "value", "norms")
    )
    return Layer(query, key, value, layers[0].scale, norms)


@lru_cache(maxsize=64)
def _interpolation(size: int, new_size: int) -> Floats:
    """Return the matrix that brings values along an axis to another length, as Pillow's bicubic filter does."""
    columns = Image.fromarray(np.eye(size, dtype=np.float32)).resize((size, new_size), Image.Resampling.BICUBIC)
    return np.array(columns)


def _gelu(x: Floats) -> Floats:
    return x * np.float32(0.5) * (1 + _erf(x * np.float32(math.sqrt(0.5))))


def _erf(x: Floats) -> Floats:
    """Return the error function, within 1e-6: 7.1.26 of Abramowitz and Stegun, Handbook of Mathematical Functions."""
    size = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * size)
    terms = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    total = np.zeros_like(t)
    for term in terms:
        total = (total + np.float32(term)) * t
    result: Floats = np.copysign(1 - total * np.exp(-(size**2)), x)
    return result
