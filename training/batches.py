"""Batches for the student: pictures cropped, recoloured and written on, with what it should say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SHAPES = ((224, 224), (176, 224), (160, 224), (160, 224), (128, 224), (224, 176), (224, 160), (224, 128))
SMALL = ((160, 160), (128, 160), (112, 160), (112, 160), (96, 160), (160, 128), (160, 112), (160, 96))
LEAST_AREA = 0.45  # of the picture that a crop shows
WRITTEN = 0.5  # share of pictures that get words
PLAIN = 0.04  # share of pictures that are replaced by one shape on a plain or slowly changing ground
STEP = 16  # pixels of the input that one of its coarsest features stands for
CELL = 8  # pixels of the input that one cell of the output stands for
COARSER = 4  # times, the maps are than the pictures, until they are reduced to cells


class Batch(NamedTuple):
    """What a step of the training sees.

    Attributes
    ----------
    pixels : tensor
        float32 (B, 3, H, W) in [0, 1].
    maps : tensor
        float32 (B, 3, H / 8, W / 8) in [0, 1].
    trust : tensor
        float32 (B,)
    described : tensor
        float32 (B, D, H / 16, W / 16), the features of the ViT, their standard deviation 1.
    seen : tensor
        float32 (B, 1, H / 16, W / 16): 1 where the picture is what the ViT saw, 0 where something was laid over it.
    """

    pixels: Tensor
    maps: Tensor
    trust: Tensor
    described: Tensor
    seen: Tensor


@dataclass
class Material:
    """What a student is trained on; all arrays are about the same n pictures, but for `words`.

    Attributes
    ----------
    pixels : tensor
        uint8 (n, 3, side, side)
    aspects : ndarray
        float (n,), width / height of the pictures before they were made square.
    maps : tensor
        uint8 (n, 3, side / 4, side / 4): object, attention and text, in 0 to 255.
    trust : tensor
        float32 (n,): how much the object map counts; less where a probe said it.
    described : tensor
        uint8 (n, D, 24, 24): the features of the ViT, of `material.principal`.
    words : tuple of tensor
        uint8 (m, 224, 224) each: ink, plates, boxes, of `words.layers`.
    """

    pixels: Tensor
    aspects: NDArray[np.float64]
    maps: Tensor
    trust: Tensor
    described: Tensor
    words: tuple[Tensor, Tensor, Tensor]


def batch(material: Material, chosen: NDArray[np.int64], rng: np.random.Generator, small: bool = False) -> Batch:
    """Make a batch of one shape; small ones have half as many pixels, and cost half as much."""
    height, width = (SMALL if small else SHAPES)[rng.integers(len(SHAPES))]
    crops = _crops(material.aspects[chosen], height, width, rng)
    pixels = _sampled(material.pixels[chosen], crops, height, width)
    maps = _sampled(material.maps[chosen], crops, height // COARSER, width // COARSER)
    described = _sampled(material.described[chosen], crops, height // STEP, width // STEP).mul_(255).sub_(128).div_(32)
    trust = material.trust[chosen].clone()
    seen = torch.ones(len(chosen), 1, height // COARSER, width // COARSER)
    for i in range(len(chosen)):
        if rng.random() < PLAIN:
            pixels[i], maps[i] = _plain(height, width, rng)
            trust[i], seen[i] = 1, 0
        if rng.random() < WRITTEN:
            seen[i] *= 1 - _write(pixels[i], maps[i], material.words, rng)
    maps, seen = functional.avg_pool2d(maps, CELL // COARSER), functional.avg_pool2d(seen, STEP // COARSER)
    return Batch(_recoloured(pixels, rng), maps, trust, described, seen)


def _crops(aspects: NDArray[np.float64], height: int, width: int, rng: np.random.Generator) -> Tensor:
    """Choose crops of near the shape's aspect, half of them turned over; return them as affine maps (B, 2, 3)."""
    count = len(aspects)
    wanted = width / height * np.exp(rng.normal(0, 0.1, count))
    relative = np.clip(wanted / aspects, 0.55, 1.8)  # width / height of the crop, in units of the square
    share = np.sqrt(rng.uniform(LEAST_AREA, 1, count))
    wide = np.minimum(1, share * np.sqrt(relative))
    high = np.minimum(1, share / np.sqrt(relative))
    x, y = rng.uniform(-1, 1, count) * (1 - wide), rng.uniform(-1, 1, count) * (1 - high)
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0] = wide * rng.choice([-1, 1], count)
    theta[:, 1, 1] = high
    theta[:, 0, 2], theta[:, 1, 2] = x, y
    return torch.from_numpy(theta)


def _sampled(pictures: Tensor, crops: Tensor, height: int, width: int) -> Tensor:
    grid = functional.affine_grid(crops, [len(crops), 1, height, width], align_corners=False)
    return functional.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False).div_(255)


def _write(pixels: Tensor, maps: Tensor, words: tuple[Tensor, Tensor, Tensor], rng: np.random.Generator) -> Tensor:
    """Lay words over a picture, in place; return what they hide: no object is there any more."""
    height, width = pixels.shape[1:]
    number = int(rng.integers(len(words[0])))
    side = words[0].shape[1]
    top, left = int(rng.integers(0, side - height + 1)), int(rng.integers(0, side - width + 1))
    ink, plate, where = (w[number, top : top + height, left : left + width].float() / 255 for w in words)
    level = float(pixels.mean())
    plate_colour = torch.from_numpy(rng.random(3).astype(np.float32))
    backed = float(plate.amax()) > 0
    ground = float(plate_colour.mean()) if backed else level
    # Nothing can be learnt from ink of its ground's colour.
    extreme = 0.0 if ground > 0.5 else 1.0
    ink_colour = extreme + (torch.from_numpy(rng.random(3).astype(np.float32)) - extreme) * float(rng.beta(0.7, 1.6))
    opacity = float(rng.choice([1.0, rng.uniform(0.5, 1.0)]))
    pixels += (plate_colour[:, None, None] - pixels) * plate * opacity
    pixels += (ink_colour[:, None, None] - pixels) * ink * float(rng.uniform(0.75, 1.0))
    plate, where = functional.avg_pool2d(torch.stack([plate, where])[:, None], COARSER)[:, 0]
    hidden = torch.maximum(plate, where) * opacity
    maps[0] *= 1 - hidden
    maps[2] = torch.maximum(maps[2], where)
    return hidden


def _plain(height: int, width: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw an ellipse or a box on a ground of one or two colours, or the ground alone."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = (x * rng.normal() / width + y * rng.normal() / height)[None] * rng.uniform(0, 0.5)
    pixels = rng.random((3, 1, 1)).astype(np.float32) + ramp.astype(np.float32)
    high, wide = rng.uniform(0.08, 0.3) * height, rng.uniform(0.08, 0.3) * width
    u, v = (y - rng.uniform(0.2, 0.8) * height) / high, (x - rng.uniform(0.2, 0.8) * width) / wide
    inside = (u**2 + v**2 < 1) if rng.random() < 0.5 else (np.maximum(abs(u), abs(v)) < 1)
    inside = inside & (rng.random() < 0.85)
    colour = rng.random((3, 1, 1)).astype(np.float32)
    pixels = np.where(inside, colour, pixels) + rng.normal(0, rng.uniform(0, 0.04), pixels.shape)
    maps = torch.from_numpy(np.stack([inside, inside, np.zeros_like(inside)]).astype(np.float32))
    return torch.from_numpy(pixels.clip(0, 1).astype(np.float32)), functional.avg_pool2d(maps, COARSER)


def _recoloured(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Change saturation (to grey at times), contrast, brightness and tint: all are linear in the colours."""
    count = len(pixels)
    saturation = np.where(rng.random(count) < 0.06, 0.0, rng.uniform(0.5, 1.4, count))[:, None, None]
    contrast = rng.uniform(0.6, 1.35, count)[:, None, None]
    brightness = rng.uniform(-0.12, 0.12, count)[:, None, None]
    tint = rng.uniform(0.92, 1.08, (count, 3, 1))
    mixed = tint * contrast * (saturation * np.eye(3) + (1 - saturation) / 3)
    level = pixels.mean((1, 2, 3)).numpy()[:, None, None]
    shift = tint * ((1 - contrast) * level + brightness)
    colours = torch.from_numpy(mixed.astype(np.float32)) @ pixels.flatten(2)
    return colours.add_(torch.from_numpy(shift.astype(np.float32))).clamp_(0, 1).view_as(pixels)
