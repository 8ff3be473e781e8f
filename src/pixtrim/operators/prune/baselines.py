"""Selectors to compare with: connected components as in ShowUI, and lots drawn at an equal rate."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.operators.prune.picture import Sources, TokenPicture
from pixtrim.operators.prune.predictors import kept_by_pred_2d, with_reference

__all__ = ["connected", "drawn"]


def connected(picture: TokenPicture) -> Sources:
    """Keep a share of each connected component of similar tokens, evenly spaced, as ShowUI [1]_ does in inference.

    Neighbours that are similar as they are belong together, however far the component's ends differ: above threshold 0
    nothing bounds the error. By default the share is that which `pred_2d` keeps of the whole picture.

    References
    ----------
    .. [1] K. Q. Lin et al., "ShowUI: One Vision-Language-Action Model for GUI Visual Agent", CVPR 2025.
    """
    components = _components(picture)
    share = _skip_ratio(picture)
    order = np.argsort(components, kind="stable").astype(np.int32)
    starts = np.flatnonzero(np.diff(components[order], prepend=-1))
    sources = np.arange(picture.count, dtype=np.int32)
    for members in np.split(order, starts[1:]):
        size = len(members)
        if size == 1:
            continue
        retained = max(1, size - round(size * share))
        places = _spaced(size, retained)
        nearest = np.searchsorted(places, np.arange(size), side="right") - 1  # the kept member before it
        sources[members] = members[places[nearest]]
    return with_reference(picture, sources.reshape(picture.shape))


def _components(picture: TokenPicture) -> NDArray[np.int32]:
    """Give each token the lowest number of its connected component; int32 (h * w,)."""
    tokens = np.arange(picture.count, dtype=np.int32).reshape(picture.shape)
    first = np.concatenate([tokens[:, :-1].ravel(), tokens[:-1].ravel()])
    second = np.concatenate([tokens[:, 1:].ravel(), tokens[1:].ravel()])
    same = picture.similar(first, second)
    parent = tokens.ravel().tolist()

    def find(token: int) -> int:
        while parent[token] != token:
            parent[token] = parent[parent[token]]
            token = parent[token]
        return token

    for one, other in zip(first[same].tolist(), second[same].tolist(), strict=True):
        low, high = sorted((find(one), find(other)))
        parent[high] = low
    return np.array([find(token) for token in range(picture.count)], np.int32)


def _spaced(size: int, count: int) -> NDArray[np.int64]:
    """Return `count` places from 0 to size - 1, evenly spaced and rounded down from single precision.

    Each half is counted from its own end, and the second one rounds once, as `torch.linspace` does it with the fused
    multiplication of current processors: the published selections depend on the rounding.
    """
    if count == 1:
        return np.zeros(1, np.int64)
    last = np.float32(size - 1)
    step = last / np.float32(count - 1)
    places = np.arange(count)
    forwards = step * places.astype(np.float32)
    backwards = (np.float64(last) - np.float64(step) * (count - 1 - places)).astype(np.float32)  # exact, then rounded
    return np.where(places < count // 2, forwards, backwards).astype(np.int64)


def _skip_ratio(picture: TokenPicture) -> float:
    if picture.skip_ratio is None:
        return 1.0 - kept_by_pred_2d(picture) / picture.count
    share = picture.skip_ratio
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not isfinite(share) or not 0 <= share <= 1:
        raise UsageError(f"skip_ratio is {share!r}: give a share from 0 to 1")
    return float(share)


def drawn(picture: TokenPicture) -> Sources:
    """Keep as many tokens as `pred_2d` would, drawn without replacement; a dropped token looks like the one before."""
    count = picture.count
    kept = max(1, kept_by_pred_2d(picture))
    lots = np.sort(np.random.Generator(np.random.PCG64(picture.seed)).choice(count, kept, replace=False))
    before = np.maximum(np.searchsorted(lots, np.arange(count), side="right") - 1, 0)
    return lots[before].astype(np.int32).reshape(picture.shape)
