"""A small model of the project's own: where a photo's objects and its text are, in a few milliseconds on one core.

It was distilled from the attention of a ViT, masks of salient objects, and words drawn onto photos, by
`training/train_saliency.py`; docs/saliency.md says how well it does, and where it does not. It needs NumPy only.
"""

from __future__ import annotations

import zipfile
from functools import cache, lru_cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import InputError
from pixtrim.importance.maps import Importance, Pixels, checked_pixels
from pixtrim.kernels import resample
from pixtrim.kernels.filters import Fixed, Starts, weights

__all__ = ["INPUT_SIDE", "saliency", "student_maps"]

Floats = NDArray[np.float32]

INPUT_SIDE: Final = 224
"""The longer side of the picture that the model looks at, in pixels; the other side follows, in steps of 16."""

ATTENTION_SHARE: Final = 0.15
"""Of the attention map where there is no text; the rest is the object map's. Chosen on pictures for validation."""

CELL: Final = 8  # pixels of the input that one cell of the output stands for
STEP: Final = 16  # the input's sides are multiples of it: the model halves them four times
HEADS: Final = 4
LEVELS: Final = 255
FRACTION: Final = 256  # parts of a cell that the enlargement knows
WEIGHTS: Final = "student.npz"


def saliency(pixels: Pixels) -> Importance:
    """Estimate how important each pixel of a photo is.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), RGB.

    Returns
    -------
    ndarray
        float32 (H, W) in [0, 1]; 1 is what should be kept. Objects that stand out and text get high values. The map is
        computed for cells of 1/28 of the longer side, in steps of 1/255, and enlarged bilinearly.

    Raises
    ------
    UsageError
        If `pixels` is something else.

    Notes
    -----
    The model takes sums of float32 products whose order is the linear algebra library's. On another machine a cell may
    come out one step off; from the cells on, arithmetic is exact.

    Examples
    --------
    >>> pixels = np.full((120, 160, 3), (120, 160, 120), np.uint8)
    >>> pixels[40:80, 60:100] = (200, 40, 30)
    >>> importance = saliency(pixels)
    >>> importance.shape, importance.dtype.name
    ((120, 160), 'float32')
    >>> bool(importance[40:80, 60:100].mean() > 2 * importance[:20].mean())
    True
    """
    width, height = checked_pixels(pixels)
    objects, attention, text = student_maps(pixels)
    combined = np.maximum(text, (1 - ATTENTION_SHARE) * objects + ATTENTION_SHARE * attention)
    return _enlarged(np.rint(combined * LEVELS).astype(np.float32), height, width)


def student_maps(pixels: Pixels) -> tuple[Floats, Floats, Floats]:
    """Return what the model says of each cell of a picture, before the three answers are combined.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), RGB.

    Returns
    -------
    objects, attention, text : ndarray
        float32 (rows, columns) in [0, 1], the longer of the two 28: whether a cell belongs to an object that stands
        out, how much the class token of a ViT would attend to it, and whether it shows text.

    Raises
    ------
    UsageError
        If `pixels` is something else.
    """
    width, height = checked_pixels(pixels)
    rows, columns = _input_size(height, width)
    if (rows, columns) != (height, width):
        tables = (*_table(height, rows), *_table(width, columns))
        pixels = resample(np.ascontiguousarray(pixels), *tables, 1)
    logits = _forward(pixels.astype(np.float32) * np.float32(2 / 255) - np.float32(1))
    objects, attention, text = np.moveaxis(_sigmoid(logits), -1, 0)
    return objects, attention, text


def _input_size(height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of what the model looks at; small pictures are enlarged, as all else is learnt."""
    longer = max(height, width)
    rows, columns = (max(1, round(side * INPUT_SIDE / longer / STEP)) * STEP for side in (height, width))
    return rows, columns


def _table(before: int, after: int) -> tuple[Starts, Fixed]:
    return weights(before, after, "area" if after < before else "bicubic")


@cache
def _weights() -> dict[str, Floats]:
    """Read the weights that come with the package, once."""
    file = resources.files("pixtrim.importance").joinpath(WEIGHTS)
    try:
        with file.open("rb") as stream, np.load(stream) as arrays:
            return {name: arrays[name].astype(np.float32) for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{WEIGHTS}: the weights cannot be read ({error!s:.80}): install pixtrim again") from None


def _forward(x: Floats) -> Floats:
    """Run the model of training/model.py on one picture in [-1, 1], (H, W, 3); return logits (H / 8, W / 8, 3)."""
    x = _relu(_strided(x, "patches", 4))
    x = _relu(x + _around(x, "fine"))
    x = _relu(_strided(x, "halve1", 2))
    x = _relu(x + _around(x, "middle1"))
    side = x = _relu(x + _around(x, "middle2"))
    x = _relu(_strided(x, "halve2", 2))
    x = _relu(x + _around(x, "coarse1"))
    x = _look(x, "look")
    x = _relu(x + _around(x, "coarse2"))
    x = _relu(x + _around(x, "coarse3"))
    x = _relu(side + _linear(x, "narrow").repeat(2, axis=0).repeat(2, axis=1))
    x = _relu(x + _around(x, "merge"))
    return _linear(x, "maps")


def _relu(x: Floats) -> Floats:
    return np.maximum(x, 0, out=x)


def _linear(x: Floats, name: str) -> Floats:
    """Apply a layer to each place on its own."""
    w = _weights()
    result = x.reshape(-1, x.shape[-1]) @ w[f"{name}.weight"]
    result += w[f"{name}.bias"]
    return result.reshape(*x.shape[:2], -1)


def _strided(x: Floats, name: str, size: int) -> Floats:
    """Apply a layer to squares of size x size places."""
    rows, columns, depth = x.shape
    squares = x.reshape(rows // size, size, columns // size, size * depth).transpose(0, 2, 1, 3)
    return _linear(squares.reshape(rows // size, columns // size, -1), name)


def _around(x: Floats, name: str) -> Floats:
    """Apply a layer to each place and the eight around it; there are zeros around the picture."""
    rows, columns, depth = x.shape
    padded = np.zeros((rows + 2, columns + 2, depth), np.float32)
    padded[1:-1, 1:-1] = x
    # Three neighbours in a row lie side by side in memory: one copy for each row of the window is enough.
    triples = np.lib.stride_tricks.sliding_window_view(padded.reshape(rows + 2, -1), 3 * depth, axis=1)[:, ::depth]
    flat = np.empty((rows, columns, 3, 3 * depth), np.float32)
    for row in range(3):
        flat[:, :, row] = triples[row : row + rows]
    return _linear(flat.reshape(rows, columns, -1), name)


def _look(x: Floats, name: str) -> Floats:
    """Let every place look at all others, with residual."""
    rows, columns, depth = x.shape
    asked = _linear(x, f"{name}.asked").reshape(rows * columns, 3, HEADS, depth // HEADS)
    query, key, value = asked.transpose(1, 2, 0, 3)
    scores: Floats = query @ key.transpose(0, 2, 1) * np.float32((depth // HEADS) ** -0.5)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = scores @ value / scores.sum(axis=-1, keepdims=True)
    return x + _linear(mixed.transpose(1, 0, 2).reshape(rows, columns, depth), f"{name}.answer")


def _sigmoid(x: Floats) -> Floats:
    # Below -30 it is next to 0, and exp might overflow.
    grown = np.exp(-np.maximum(x, np.float32(-30)))
    return np.float32(1) / (grown + np.float32(1))


def _enlarged(cells: Floats, height: int, width: int) -> Floats:
    """Enlarge levels of 0 to 255 bilinearly; return them in [0, 1].

    Levels and weights are whole numbers and every sum stays below 2**24: float32 holds each exactly, so that the result
    does not depend on the order in which the products are added.
    """
    rows, columns = _bilinear(cells.shape[0], height), _bilinear(cells.shape[1], width)
    enlarged = (rows @ cells) @ columns.T
    enlarged *= np.float32(1 / (LEVELS * FRACTION**2))
    return np.minimum(enlarged, 1, out=enlarged)


@lru_cache(maxsize=32)
def _bilinear(cells: int, pixels: int) -> Floats:
    """Return by how many of 256 parts each cell counts at each pixel along an axis: float32 (pixels, cells)."""
    at = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    at = np.rint(np.clip(at, 0, cells - 1) * FRACTION).astype(np.int64)
    first, part = at // FRACTION, at % FRACTION
    table = np.zeros((pixels, cells + 1), np.float32)
    table[np.arange(pixels), first] = FRACTION - part
    table[np.arange(pixels), first + 1] += part
    return np.ascontiguousarray(table[:, :cells])
