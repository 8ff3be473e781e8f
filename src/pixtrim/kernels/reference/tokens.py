"""The kernels on tokens: the equal blocks into which a picture falls.

A block is compared with another one by a *metric* and a *limit*, over all of their bytes: metric 0 is the largest
absolute difference, 1 the sum of the absolute differences, 2 the sum of their squares; they match if it is at most the
limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pixtrim.kernels.reference.checks import (
    MAX_SIDE,
    MAX_THREADS,
    PIXELS,
    check_array,
    check_corners,
    check_offsets,
    check_range,
    check_tokens,
)

__all__ = ["match_blocks", "predict"]

Pixels = NDArray[np.uint8]
Indices = NDArray[np.int32]

_RASTER, _SERPENTINE, _PRED_2D, _PRED_NEAR, _UNIQUE = range(5)
_MAX_LIMIT = 1 << 62


def match_blocks(
    pixels: Pixels,
    corners: Indices,
    other: Pixels,
    other_corners: Indices,
    height: int,
    width: int,
    metric: int,
    limit: int,
    threads: int = 1,
) -> NDArray[np.bool_]:
    """Tell which blocks of a picture match blocks of another one.

    Parameters
    ----------
    pixels, other : ndarray
        uint8 (H, W, 3) each, of any sizes, C-contiguous. They may be the same array.
    corners, other_corners : ndarray
        int32 (N, 2), C-contiguous: the row and the column of the upper left pixel of each block, and of the block that
        it is compared with.
    height, width : int
        The size of the blocks in pixels, 1 to 1024.
    metric : int
        What is measured over the bytes of two blocks: 0 the largest absolute difference, 1 the sum of the absolute
        differences, 2 the sum of their squares.
    limit : int
        The largest measure with which blocks match, 0 to ``2**62``.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it. This function uses one.

    Returns
    -------
    ndarray
        bool (N,).

    Raises
    ------
    TypeError
        If an array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range, a block does not lie inside its picture, or there are not as many blocks in
        both.

    Examples
    --------
    >>> pixels = np.zeros((2, 4, 3), np.uint8)
    >>> pixels[1, 2] = 1, 0, 3
    >>> left, right = np.array([[0, 0]], np.int32), np.array([[0, 2]], np.int32)
    >>> for metric, limit in (0, 2), (0, 3), (1, 4), (2, 9):
    ...     print(match_blocks(pixels, left, pixels, right, 2, 2, metric, limit))
    [False]
    [ True]
    [ True]
    [False]
    """
    check_array("pixels", pixels, np.uint8, (None, None, 3), PIXELS)
    check_array("other", other, np.uint8, (None, None, 3), PIXELS)
    check_range("height", height, 1, MAX_SIDE)
    check_range("width", width, 1, MAX_SIDE)
    check_corners("corners", corners, height, width, pixels.shape[:2])
    check_corners("other_corners", other_corners, height, width, other.shape[:2])
    if len(corners) != len(other_corners):
        raise ValueError(f"other_corners must be as many as corners, {len(corners)}, got {len(other_corners)}")
    check_range("metric", metric, 0, 2)
    check_range("limit", limit, 0, _MAX_LIMIT)
    check_range("threads", threads, 1, MAX_THREADS)
    pairs = zip(corners.tolist(), other_corners.tolist(), strict=True)
    matches = [
        _within(pixels[y : y + height, x : x + width], other[v : v + height, u : u + width], metric, limit)
        for (y, x), (v, u) in pairs
    ]
    return np.array(matches, np.bool_)


def predict(
    pixels: Pixels,
    token_h: int,
    token_w: int,
    selector: int,
    metric: int,
    limit: int,
    reference: Pixels | None = None,
    offsets: Indices | None = None,
) -> Indices:
    """Find for every token of a picture where its pixels can be taken from, so that few tokens have to be kept.

    A picture of ``h * w = N`` tokens, numbered in raster order, is gone through from the first token to the last. A
    token's *source* is a number below N, the kept token whose pixels stand for its own (itself, where it is kept); or
    ``N + k * N + i``, the block of the reference picture at the place of token i displaced by ``offsets[k]``.

    Each token but the first has a *prediction*, a source. The token is dropped onto it if it matches its pixels; else
    onto the first displaced block of the reference at its own place that lies wholly inside and matches; else it is
    kept. Sources therefore never lead to a dropped token, and a token is compared with just the pixels that will stand
    for it, so that errors do not add up. Two sources are *similar* if they are the same or their pixels match.

    The prediction is, by the selector:

    0, raster
        The source of the token before; rows run on into the next one.
    1, serpentine
        The same, but every other row is gone through from right to left, beginning with the second.
    2, pred_2d
        With A, B and C the sources of the tokens on the left, above, and above on the left: B if C is similar to A but
        not to B, else A. A in the first row, B in the first column [1]_.
    3, pred_near
        The first that the token matches of these: the one of rule 2; A; B; D (above on the right); C; and the *ground*,
        the source that most tokens so far have (of several the one that reached that number first).
    4, unique
        The first kept token in the whole picture that the token matches, if there is one.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous, in whole tokens, at least one.
    token_h, token_w : int
        The size of a token in pixels, 1 to 1024.
    selector : int
        0 to 4, see above.
    metric : int
        What is measured over the bytes of two blocks: 0 the largest absolute difference, 1 the sum of the absolute
        differences, 2 the sum of their squares.
    limit : int
        The largest measure with which blocks match, 0 to ``2**62``.
    reference : ndarray, optional
        A picture to take blocks from: uint8 (H, W, 3) of any size, C-contiguous.
    offsets : ndarray, optional
        int32 (K, 2), C-contiguous: up to 16 displacements (dy, dx) in pixels.

    Returns
    -------
    ndarray
        int32 (h, w): the sources.

    Raises
    ------
    TypeError
        If an array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range, the picture is not in whole tokens, there are offsets without a reference, or
        sources would not fit their integers.

    References
    ----------
    .. [1] N. Wang, Z. Jin, C. Chen, H. Lu, "PixelPrune: Pixel-Level Adaptive Visual Token Reduction via Predictive
       Coding", arXiv:2604.00886, 2026; after the edge detection of M. J. Weinberger, G. Seroussi, G. Sapiro, "The
       LOCO-I lossless image compression algorithm: principles and standardization into JPEG-LS", IEEE Transactions on
       Image Processing, vol. 9, no. 8, pp. 1309-1324, 2000.

    Examples
    --------
    >>> levels = np.array([[0, 0, 7], [0, 0, 7], [5, 5, 5]], np.uint8)
    >>> predict(np.repeat(levels[..., None], 3, axis=2), 1, 1, selector=2, metric=0, limit=0).tolist()
    [[0, 0, 2], [0, 0, 2], [6, 6, 6]]
    """
    check_array("pixels", pixels, np.uint8, (None, None, 3), PIXELS)
    check_tokens(pixels, token_h, token_w)
    check_range("selector", selector, _RASTER, _UNIQUE)
    check_range("metric", metric, 0, 2)
    check_range("limit", limit, 0, _MAX_LIMIT)
    if reference is not None:
        check_array("reference", reference, np.uint8, (None, None, 3), PIXELS)
    shape = pixels.shape[0] // token_h, pixels.shape[1] // token_w
    offsets = check_offsets(offsets, reference, shape[0] * shape[1])
    coder = _Coder(pixels, (token_h, token_w), metric, limit, reference, offsets)
    return _RULES[selector](coder)


def _within(a: Pixels, b: Pixels, metric: int, limit: int) -> bool:
    differences = np.abs(a.astype(np.int64) - b)
    measure = (differences.max(), differences.sum(), np.square(differences).sum())[metric]
    return int(measure) <= limit


class _Coder:
    """The tokens of a picture with the sources found so far."""

    def __init__(
        self,
        pixels: Pixels,
        token: tuple[int, int],
        metric: int,
        limit: int,
        reference: Pixels | None,
        offsets: Indices,
    ) -> None:
        self.pixels, self.token, self.metric, self.limit = pixels, token, metric, limit
        self.reference, self.offsets = reference, offsets.tolist()
        self.shape = pixels.shape[0] // token[0], pixels.shape[1] // token[1]
        self.count = self.shape[0] * self.shape[1]
        self.sources = np.full(self.shape, -1, np.int32)

    def block(self, source: int) -> Pixels | None:
        """Return the pixels that a source names; None where they do not lie wholly inside the reference."""
        (height, width), displaced, token = self.token, source // self.count, source % self.count
        y, x = token // self.shape[1] * height, token % self.shape[1] * width
        if displaced == 0:
            return self.pixels[y : y + height, x : x + width]
        dy, dx = self.offsets[displaced - 1]
        if self.reference is None or y + dy < 0 or x + dx < 0:
            return None
        block = self.reference[y + dy : y + dy + height, x + dx : x + dx + width]
        return block if block.shape[:2] == self.token else None

    def contents(self, token: int) -> bytes:
        block = self.block(token)
        return b"" if block is None else block.tobytes()

    def similar(self, source: int, other: int) -> bool:
        if source == other:
            return True
        a, b = self.block(source), self.block(other)
        return a is not None and b is not None and _within(a, b, self.metric, self.limit)

    def settle(self, token: int, *predictions: int | None) -> int:
        """Give a token its source, and return that."""
        displaced = [token + self.count * (1 + k) for k in range(len(self.offsets))]
        choices = [prediction for prediction in predictions if prediction is not None] + displaced
        source = next((choice for choice in choices if self.similar(token, choice)), token)
        self.sources.flat[token] = source
        return source


def _raster(coder: _Coder) -> Indices:
    source = None
    for token in range(coder.count):
        source = coder.settle(token, source)
    return coder.sources


def _serpentine(coder: _Coder) -> Indices:
    order = np.arange(coder.count).reshape(coder.shape)
    order[1::2] = order[1::2, ::-1]
    source = None
    for token in order.ravel().tolist():
        source = coder.settle(token, source)
    return coder.sources


def _pred_2d(coder: _Coder) -> Indices:
    for token in range(coder.count):
        coder.settle(token, _edge_prediction(coder, coder.sources, token))
    return coder.sources


def _pred_near(coder: _Coder) -> Indices:
    uses: Counter[int] = Counter()
    ground = None
    for token in range(coder.count):
        around = [_neighbour(coder.sources, token, *step) for step in ((0, -1), (-1, 0), (-1, 1), (-1, -1))]
        source = coder.settle(token, _edge_prediction(coder, coder.sources, token), *around, ground)
        uses[source] += 1
        if ground is None or uses[source] > uses[ground]:
            ground = source
    return coder.sources


def _unique(coder: _Coder) -> Indices:
    kept: dict[bytes, int] = {}  # by contents, of which no two are the same
    for token in range(coder.count):
        contents = coder.contents(token)
        match = kept.get(contents)  # that token was kept, so no one before it matches either
        if match is None and coder.limit > 0:
            match = next((other for other in kept.values() if coder.similar(token, other)), None)
        if coder.settle(token, match) == token:
            kept[contents] = token
    return coder.sources


def _edge_prediction(coder: _Coder, sources: Indices, token: int) -> int | None:
    """Predict the source of a token from those around it; None for the first token."""
    left, above = _neighbour(sources, token, 0, -1), _neighbour(sources, token, -1, 0)
    corner = _neighbour(sources, token, -1, -1)
    if left is None or above is None or corner is None:
        return above if left is None else left
    return above if coder.similar(corner, left) and not coder.similar(corner, above) else left


def _neighbour(sources: Indices, token: int, down: int, right: int) -> int | None:
    """Return the source of the token so many rows below and columns to the right; None outside the picture."""
    height, width = sources.shape
    row, column = token // width + down, token % width + right
    return int(sources[row, column]) if 0 <= row < height and 0 <= column < width else None


_RULES: dict[int, Callable[[_Coder], Indices]] = {
    _RASTER: _raster,
    _SERPENTINE: _serpentine,
    _PRED_2D: _pred_2d,
    _PRED_NEAR: _pred_near,
    _UNIQUE: _unique,
}
