"""Prepare what the student is trained on: pictures, and what its teachers say of them, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import detector
import numpy as np
import pictures
import probe
import torch
import words
from batches import COARSER, Material
from model import DESCRIBED
from numpy.typing import NDArray
from teacher import Teacher
from torch.nn import functional

ATTENTION = (7, 8, 9)  # blocks whose attention is learnt: of DeiT-Tiny's, those that best find the masked objects
VALIDATION = 100  # masked pictures that neither probe nor student is trained on
WORD_LAYERS = 1500
PROBED = 0.7  # how much an object map by the probe counts, beside one by a mask
AT_ONCE = 16
SAMPLED = 200  # pictures from which the principal components are taken

Array = NDArray[np.generic]


@dataclass
class Prepared:
    """Material, and the numbers of the pictures for training and for validation."""

    material: Material
    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def prepare(
    folders: Sequence[Path], masks: Sequence[Path], exclude: Sequence[Path], weights: Path, cache: Path, seed: int
) -> Prepared:
    """Read pictures, ask the teachers, and draw words; what the cache folder has is taken from there."""
    base = kept(cache / "pictures.npz", lambda: _read(folders, masks, exclude))
    pixels, known, mask = (base[name] for name in ("pixels", "known", "masks"))
    looked = kept(cache / "looked.npz", lambda: _look(pixels, weights))
    attention = looked["attention"]
    rng = np.random.default_rng(seed)
    masked = np.flatnonzero(known)
    validation = np.sort(rng.permutation(masked)[: min(VALIDATION, len(masked) // 4)])
    training = np.setdiff1d(np.arange(len(pixels)), validation)
    learnt = np.setdiff1d(masked, validation)

    def ask_probe() -> dict[str, Array]:
        features = looked["features"]
        trained = probe.train(features[learnt], attention[learnt], mask[learnt], seed)
        return {"objects": (probe.apply(trained, features, attention) * 255).round().astype(np.uint8)}

    objects = _resized(kept(cache / "probed.npz", ask_probe)["objects"])
    objects[known] = _resized(mask[known])
    looks = _resized((normalised(attention[:, ATTENTION, 0].mean(1)) * 255).round().astype(np.uint8))
    texts = kept(cache / "texts.npz", lambda: {"texts": detector.texts(base["paths"].tolist())})["texts"]

    described = kept(cache / "described.npz", lambda: {"described": principal(looked["features"], seed)})["described"]

    def draw() -> dict[str, Array]:
        drawn = words.layers(WORD_LAYERS, words.fonts(), np.random.default_rng(seed))
        return dict(zip(("ink", "plate", "where"), drawn, strict=True))

    drawn = kept(cache / "words.npz", draw)
    material = Material(
        pixels=torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        aspects=base["aspects"],
        maps=torch.from_numpy(np.stack([objects, looks, _resized(texts)], 1)),
        trust=torch.from_numpy(np.where(known, 1.0, PROBED).astype(np.float32)),
        described=torch.from_numpy(described),
        words=tuple(torch.from_numpy(drawn[name]) for name in ("ink", "plate", "where")),
    )
    return Prepared(material, training, validation)


def kept(file: Path, make: Callable[[], dict[str, Array]]) -> Mapping[str, Array]:
    """Return the arrays of a file, each read when it is asked for; the file is made first where it is missing."""
    if not file.exists():
        np.savez(file, **make())
    arrays: Mapping[str, Array] = np.load(file)
    return arrays


def normalised(attention: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth attention over 3 x 3 patches and bring it to [0, 1] by its 5th and 98th percentile, for each picture."""
    smooth = functional.avg_pool2d(torch.from_numpy(attention)[:, None], 3, 1, 1, count_include_pad=False)[:, 0].numpy()
    low, high = np.percentile(smooth, (5, 98), axis=(1, 2), keepdims=True)
    scaled: NDArray[np.float32] = np.clip((smooth - low) / (high - low + 1e-9), 0, 1).astype(np.float32)
    return scaled


def principal(features: NDArray[np.float16], seed: int) -> NDArray[np.uint8]:
    """Describe features (n, D, 24, 24) by principal components: uint8, 128 is 0, 32 levels the deviation of each."""
    count, width = features.shape[:2]
    chosen = np.random.default_rng(seed).permutation(count)[:SAMPLED]
    sample = features[chosen].astype(np.float32).transpose(0, 2, 3, 1).reshape(-1, width)
    mean = sample.mean(0)
    _, vectors = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    axes = vectors[:, ::-1][:, :DESCRIBED].astype(np.float32)
    axes *= 32 / ((sample - mean) @ axes).std(0)
    parts = (features[i : i + 64].astype(np.float32) for i in range(0, count, 64))
    along = [np.einsum("ndyx,dk->nkyx", part - mean[:, None, None], axes, optimize=True) for part in parts]
    return np.clip(np.concatenate(along) + 128, 0, 255).round().astype(np.uint8)


def _read(folders: Sequence[Path], masks: Sequence[Path], exclude: Sequence[Path]) -> dict[str, Array]:
    found, left_out = pictures.read(folders, masks, pictures.thumbnails(exclude))
    print(
        f"{len(found)} pictures, {sum(p.mask is not None for p in found)} with masks; {left_out} left out", flush=True
    )
    nothing = np.zeros((pictures.SIDE, pictures.SIDE), np.uint8)
    return {
        "paths": np.array([str(p.path) for p in found]),
        "pixels": np.stack([p.pixels for p in found]),
        "masks": np.stack([nothing if p.mask is None else p.mask for p in found]),
        "known": np.array([p.mask is not None for p in found]),
        "aspects": np.array([p.aspect for p in found]),
    }


def _look(pixels: NDArray[np.uint8], weights: Path) -> dict[str, Array]:
    teacher = Teacher(weights)
    features, attention = [], []
    for start in range(0, len(pixels), AT_ONCE):
        with torch.autocast("cpu", torch.bfloat16):
            seen, looks = teacher.look(torch.from_numpy(pixels[start : start + AT_ONCE]))
        features.append(seen.numpy())
        attention.append(looks.numpy())
    return {"features": np.concatenate(features), "attention": np.concatenate(attention)}


def _resized(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring maps to the size that batches are made from."""
    side = (pictures.SIDE // COARSER, pictures.SIDE // COARSER)
    stacks = (torch.from_numpy(maps[i : i + 256, None]).float() for i in range(0, len(maps), 256))
    parts = [functional.interpolate(stack, side, mode="bilinear", antialias=True)[:, 0] for stack in stacks]
    return torch.cat(parts).round().to(torch.uint8).numpy()
