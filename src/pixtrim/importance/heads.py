"""What the heads of a transformer attend to: queries and keys become one value for each token.

Arrays are NumPy's or PyTorch's, whichever the network computes with; no matrix of all tokens by all tokens is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Layer", "cls_row", "column_means", "rollout", "shares", "unlike"]

Array = Any

BLOCK: Final = 128
"""Queries whose attention to all tokens is worked out at a time."""


@dataclass(frozen=True, eq=False)
class Layer:
    """What one layer of a network asks and is asked, as its attention takes it: normalised, and turned by position.

    Attributes
    ----------
    query, key, value : array or None
        float32 (pictures, heads, tokens, width), None where it was not asked for. A query of one token is that of the
        class token or of the pooling head.
    scale : float
        What products of queries and keys are multiplied by.
    norms : array
        float32 (pictures, tokens): the length of each token as it enters the layer.
    """

    query: Array
    key: Array
    value: Array
    scale: float
    norms: Array


def shares(query: Array, key: Array, scale: float, xp: Any) -> Array:
    """Return how each query's attention is shared out among the tokens, averaged over the heads.

    Parameters
    ----------
    query, key : array
        (pictures, heads, n, width) and (pictures, heads, tokens, width).
    scale : float
        As in `Layer`.
    xp : module
        numpy or torch.

    Returns
    -------
    array
        (pictures, n, tokens); each row sums to 1.
    """
    scores = (query * scale) @ key.swapaxes(-1, -2)
    scores = xp.exp(scores - xp.amax(scores, axis=-1, keepdims=True))
    return (scores / scores.sum(axis=-1, keepdims=True)).mean(axis=1)


def cls_row(layer: Layer, xp: Any) -> Array:
    """Return what the first query attends to: (pictures, tokens)."""
    return shares(layer.query[:, :, :1], layer.key, layer.scale, xp)[:, 0]


def column_means(layer: Layer, xp: Any) -> Array:
    """Return how much each token is attended to by all queries on average: (pictures, tokens)."""
    tokens = layer.key.shape[2]
    return _passed_on(xp.full_like(layer.norms, 1 / tokens), layer, xp)


def rollout(layers: Sequence[Layer], start: Array, xp: Any) -> Array:
    """Follow the attention of `start`, (pictures, tokens), from the last layer to the first [1]_.

    In each layer one half stays where it is, as by the residual connection, and the other goes where the heads look.

    References
    ----------
    .. [1] S. Abnar, W. Zuidema, "Quantifying attention flow in transformers", ACL 2020.
    """
    rows = start
    for layer in reversed(layers):
        rows = rows / 2 + _passed_on(rows, layer, xp) / 2
    return rows


def unlike(features: Array, first: int, cls: int | None, xp: Any) -> Array:
    """Compare the features of patches, by their cosine, with those of the class token or with their own mean.

    Parameters
    ----------
    features : array
        (pictures, heads, tokens, width): queries, keys or values. The heads count together.
    first : int
        The number of the first token that is a patch.
    cls : int or None
        The number of the class token.
    xp : module
        numpy or torch.

    Returns
    -------
    array
        (pictures, tokens): with a class token, how like it each token is; without, how unlike the mean of the patches.
    """
    pictures, _, tokens, _ = features.shape
    flat = features.swapaxes(1, 2).reshape(pictures, tokens, -1)
    other = flat[:, cls] if cls is not None else flat[:, first:].mean(axis=1)
    along = (flat * other[:, None]).sum(axis=-1)
    lengths = xp.sqrt((flat * flat).sum(axis=-1)) * xp.sqrt((other * other).sum(axis=-1))[:, None]
    cosine = along / (lengths + 1e-12)
    return cosine if cls is not None else 1 - cosine


def _passed_on(rows: Array, layer: Layer, xp: Any) -> Array:
    """Return ``rows @ attention``, (pictures, tokens), from blocks of the attention's rows."""
    total = xp.zeros_like(rows)
    for start in range(0, rows.shape[1], BLOCK):
        part = shares(layer.query[:, :, start : start + BLOCK], layer.key, layer.scale, xp)
        total = total + (rows[:, None, start : start + BLOCK] @ part)[:, 0]
    return total
