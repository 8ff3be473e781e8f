"""Selectors that predict each token from the ones before it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.operators.prune.picture import Sources, TokenPicture, roots

__all__ = ["kept_by_pred_2d", "pred_2d", "pred_near", "raster", "serpentine", "unique", "with_reference"]

RASTER, SERPENTINE, PRED_2D, PRED_NEAR, UNIQUE = range(5)  # what the kernel calls them


def raster(picture: TokenPicture) -> Sources:
    """Predict each token from the one before it, row by row; rows run on into the next."""
    if _reconstructs(picture):
        return _anchored(picture, RASTER)
    return _from_order(picture, np.arange(picture.count, dtype=np.int32))


def serpentine(picture: TokenPicture) -> Sources:
    """Predict each token from the one before it, every other row from right to left."""
    if _reconstructs(picture):
        return _anchored(picture, SERPENTINE)
    order = np.arange(picture.count, dtype=np.int32).reshape(picture.shape)
    order[1::2] = order[1::2, ::-1]
    return _from_order(picture, order.ravel())


def pred_2d(picture: TokenPicture) -> Sources:
    """Predict each token from the left, or from above where the one above left matches the left but not the above.

    This is the predictor of PixelPrune [1]_, after the edge detection of LOCO-I [2]_.

    References
    ----------
    .. [1] N. Wang, Z. Jin, C. Chen, H. Lu, "PixelPrune: Pixel-Level Adaptive Visual Token Reduction via Predictive
       Coding", arXiv:2604.00886, 2026.
    .. [2] M. J. Weinberger, G. Seroussi, G. Sapiro, "The LOCO-I lossless image compression algorithm: principles and
       standardization into JPEG-LS", IEEE Transactions on Image Processing 9(8), 2000; ITU-T T.87.
    """
    return _anchored(picture, PRED_2D) if _reconstructs(picture) else _pred_2d_sliding(picture)


def pred_near(picture: TokenPicture) -> Sources:
    """Drop each token that any of the four neighbours before it predicts, or the background.

    A single guess is often wrong where a letter ends: the ground goes on above it, not on its left. Here the guess of
    `pred_2d` comes first, then left, above, above right and above left, then the token that most tokens so far were
    taken from. The plan says which was right; at threshold 0, no token is kept that `pred_2d` would drop.
    """
    return _anchored(picture, PRED_NEAR)


def unique(picture: TokenPicture) -> Sources:
    """Drop every token that an earlier one equals, wherever that is: what no predictor can do better."""
    return _anchored(picture, UNIQUE)


def kept_by_pred_2d(picture: TokenPicture) -> int:
    """Count the tokens that `pred_2d` keeps."""
    return int((pred_2d(picture).ravel() == np.arange(picture.count)).sum())


def _reconstructs(picture: TokenPicture) -> bool:
    """Whether predictions are made from reconstructed neighbours; at threshold 0 these are the neighbours."""
    return picture.anchored or picture.tolerance.exact


def _anchored(picture: TokenPicture, code: int) -> Sources:
    height, width = picture.token_shape
    limit = picture.tolerance.limit(3 * height * width)
    with_offsets = () if picture.reference is None else (picture.reference, picture.offsets)
    return kernels.predict(picture.pixels, height, width, code, picture.tolerance.code, limit, *with_offsets)


def _from_order(picture: TokenPicture, order: NDArray[np.int32]) -> Sources:
    """Compare each token with the one before it in an order."""
    same = picture.similar(order[1:], order[:-1])
    starts = np.maximum.accumulate(np.where(np.concatenate([[False], same]), 0, np.arange(len(order))))
    sources = np.empty(picture.count, np.int32)
    sources[order] = order[starts]
    return with_reference(picture, sources.reshape(picture.shape))


def _pred_2d_sliding(picture: TokenPicture) -> Sources:
    """Do it on the tokens as they are."""
    tokens = np.arange(picture.count, dtype=np.int32).reshape(picture.shape)
    same_left = np.zeros(picture.shape, np.bool_)
    same_left[:, 1:] = picture.similar(tokens[:, 1:].ravel(), tokens[:, :-1].ravel()).reshape(tokens[:, 1:].shape)
    same_above = np.zeros(picture.shape, np.bool_)
    same_above[1:] = picture.similar(tokens[1:].ravel(), tokens[:-1].ravel()).reshape(tokens[1:].shape)
    take_above = np.zeros(picture.shape, np.bool_)
    take_above[1:, 0] = True
    take_above[1:, 1:] = same_above[1:, :-1] & ~same_left[:-1, 1:]
    parents = tokens.copy()
    above, left = take_above & same_above, ~take_above & same_left
    parents[1:][above[1:]] = tokens[:-1][above[1:]]
    parents[:, 1:][left[:, 1:]] = tokens[:, :-1][left[:, 1:]]
    return with_reference(picture, roots(parents.ravel()).reshape(picture.shape))


def with_reference(picture: TokenPicture, sources: Sources) -> Sources:
    """Take kept tokens that the reference has from there, and with them what they stand for."""
    flat = sources.ravel()
    kept = np.flatnonzero(flat == np.arange(picture.count)).astype(np.int32)
    replaced = np.arange(picture.count, dtype=np.int32)
    for k, offset in enumerate(picture.offsets if picture.reference is not None else ()):
        matching = kept[picture.matches_reference(kept, offset)]
        replaced[matching] = matching + picture.count * (k + 1)
        kept = np.setdiff1d(kept, matching, assume_unique=True)
    return replaced[flat].reshape(picture.shape)
