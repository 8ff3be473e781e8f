"""How much a reduced picture still looks like its original, and what it still shows; none of it needs a model."""

from __future__ import annotations

from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, MissingExtraError, require
from pixtrim.evaluation.measures import Measure, register
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.restore import restore
from pixtrim.evaluation.samples import Sample
from pixtrim.pruning import prune

__all__ = [
    "NATURAL",
    "KeptRatio",
    "ObjectSimilarity",
    "PixelCosine",
    "SaliencyMass",
    "SaliencyScale",
    "Similarity",
    "cosine",
]

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

NATURAL: Final = ("photo", "video frame")
"""Kinds of pictures of the world. What measures of them ask is of no use where a picture is text on a page."""

WINDOW = 11  # pixels: the side of the Gaussian window of SSIM, below which a picture has none
CELL = 8  # pixels of the original in which the scale is taken to be the same


class _Structural(Measure):
    """What measures by SSIM share."""

    @classmethod
    def missing(cls) -> str | None:
        try:
            require("skimage", "evaluate", cls.name)
        except MissingExtraError as error:
            return str(error)
        return None

    def applies(self, sample: Sample) -> bool:
        return True

    @staticmethod
    def likeness(sample: Sample, reduced: Reduced) -> NDArray[np.float32] | None:
        """Return the SSIM of each pixel, float32 (H, W) in [-1, 1], or None for a picture below the window."""
        metrics = require("skimage.metrics", "evaluate", "structural similarity")
        if min(sample.pixels.shape[:2]) < WINDOW:
            return None
        _, similar = metrics.structural_similarity(
            _grey(sample.pixels).astype(np.float32),
            restore(_grey(reduced.image), reduced.coordinates).astype(np.float32),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            full=True,
        )
        return cast("NDArray[np.float32]", similar)


@register
class Similarity(_Structural):
    """Mean structural similarity (SSIM [1]_) of the grey pictures, after the reduced one is brought back to its places.

    Blank ground is alike whatever happens to text on it, so that pages score high throughout; compare operators, not
    kinds of pictures. As published: a Gaussian window of 11 px with a sigma of 1.5 px, population covariance.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
       Structural Similarity", IEEE Transactions on Image Processing 13 (4), 2004.
    """

    name = "ssim"
    question = "Does it look the same once everything is back at its place?"

    def score(self, sample: Sample, reduced: Reduced, prepared: object) -> float | None:
        similar = self.likeness(sample, reduced)
        if similar is None:
            return None
        edge = WINDOW // 2  # where the window leaves the picture
        return float(similar[edge : similar.shape[0] - edge, edge : similar.shape[1] - edge].mean())


@register
class ObjectSimilarity(_Structural):
    """Mean structural similarity under the mask of the salient object: see `Similarity`."""

    name = "object-ssim"
    question = "Does the salient object look the same once it is back at its place?"

    def applies(self, sample: Sample) -> bool:
        return sample.truth.mask is not None

    def prepare(self, sample: Sample) -> Mask | None:
        return _mask(sample)

    def score(self, sample: Sample, reduced: Reduced, prepared: Mask | None) -> float | None:
        similar = None if prepared is None else self.likeness(sample, reduced)
        return None if similar is None else float(similar[prepared].mean())


class _Salient(Measure):
    """What measures of the place that a salient object gets share: they look at the map alone, not at the pixels."""

    def applies(self, sample: Sample) -> bool:
        return sample.truth.mask is not None

    def prepare(self, sample: Sample) -> Mask | None:
        return _mask(sample)


@register
class SaliencyMass(_Salient):
    """Pixels of the reduced picture that show the salient object, in parts of those in the original; 1 at most.

    Where an operator keeps a half of an object whole and drops the other, this cannot tell it from one that halves the
    area of the object: see `SaliencyScale`.
    """

    name = "saliency-mass"
    question = "How many of the salient object's pixels are left?"

    def score(self, sample: Sample, reduced: Reduced, prepared: Mask | None) -> float | None:
        if prepared is None:
            return None
        kept = np.count_nonzero(reduced.coordinates.to_reduced(mask=prepared))
        return min(1.0, kept / np.count_nonzero(prepared))


@register
class SaliencyScale(_Salient):
    """The scale at which the salient object is shown, averaged over its area, in which dropped parts count as 0.

    The scale is that of lengths: the square root of the local share of the area, 1 at most, in cells of 8 px. The root
    favours an even scale over one that keeps some parts and drops others.
    """

    name = "saliency-scale"
    question = "At which scale is the salient object shown?"

    def score(self, sample: Sample, reduced: Reduced, prepared: Mask | None) -> float | None:
        if prepared is None:
            return None
        height, width = prepared.shape
        x, y = np.arange(0, width, CELL), np.arange(0, height, CELL)
        weights = np.add.reduceat(np.add.reduceat(prepared.astype(np.int64), y, axis=0), x, axis=1)
        rows, columns = np.nonzero(weights)
        low = np.stack([x[columns], y[rows]], axis=1)
        high = np.minimum(low + CELL, (width, height))
        boxes = reduced.coordinates.to_reduced(boxes=np.concatenate([low, high], axis=1))
        share = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / np.prod(high - low, axis=1)
        return float(np.average(np.sqrt(np.minimum(share, 1)), weights=weights[rows, columns]))


@register
class PixelCosine(Measure):
    """TheTileCompany's measure [1]_: the cosine of the two pictures' values after stretching the reduced one back.

    The stretch is Pillow's bilinear resize to the original's size, not the coordinate map, and the values are not
    centred: pictures that have little in common but their brightness score .8 and more. Given for comparison with what
    was published (mean .89 at -30% pixels, on photos squashed to 518x518), on pictures of the world only: where an
    operator moves things by design, as in a page, a stretch says nothing. ``--budget 70%`` is -30%.

    References
    ----------
    .. [1] TheTileCompany, ``Image_Compression_Testing/benchmark.py``, https://github.com/DEboy2007/TheTileCompany.
    """

    name = "pixel-cosine"
    question = "What would TheTileCompany's benchmark say (cosine of the pixels, stretched back)?"

    def applies(self, sample: Sample) -> bool:
        return sample.kind in NATURAL

    def score(self, sample: Sample, reduced: Reduced, prepared: object) -> float | None:
        height, width = sample.pixels.shape[:2]
        back = Image.fromarray(reduced.image).resize((width, height), Image.Resampling.BILINEAR)
        return cosine(sample.pixels.ravel(), np.asarray(back).ravel())


@register
class KeptRatio(Measure):
    """PixelPrune's measure: the share of a picture's tokens that its predictor in two dimensions keeps, losslessly.

    The reduced picture is sized for Qwen3-VL as its processor does it, and pruned by ``pred_2d`` at threshold 0. It
    describes, and does not judge: it is about cost, not about what is still seen. Of two reduced pictures of as many
    tokens, the one with the lower ratio gets cheaper if one prunes it after reducing. An operator that has taken out
    the repeats leaves few of them.
    """

    name = "kept-ratio"
    question = "Which share of its tokens would PixelPrune still keep (Qwen3-VL, lossless)?"
    describes: ClassVar[bool] = True

    def applies(self, sample: Sample) -> bool:
        return True

    def score(self, sample: Sample, reduced: Reduced, prepared: object) -> float | None:
        try:
            return prune(reduced.image, "qwen3-vl").ratio
        except InputError:  # a strip that the processor refuses
            return None


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """Return the cosine of two vectors, in [-1, 1]; None where one of them is nothing but zeros.

    Examples
    --------
    >>> cosine(np.array([3, 0]), np.array([3, 4]))
    0.6
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / size, -1, 1)) if size > 0 else None


def _grey(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _mask(sample: Sample) -> Mask | None:
    """Return where the salient object is, bool (H, W), or None where there is no object."""
    mask = None if sample.truth.mask is None else sample.truth.mask().astype(bool)
    return mask if mask is not None and mask.any() else None
