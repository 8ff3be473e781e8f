"""The definition of every kernel, in NumPy.

The native module has functions of the same names and arguments, and gives the same results bit for bit.
A *bit map* is a uint64 array of shape (H, ceil(W / 64)): pixel (y, x) is bit ``x % 64`` of word ``[y, x // 64]``, and
the bits past the width are zero.
"""

from __future__ import annotations

from pixtrim.kernels.reference.landmarks import landmarks
from pixtrim.kernels.reference.marginals import marginals
from pixtrim.kernels.reference.pixels import change_bits, column_counts, gather, resample, row_counts
from pixtrim.kernels.reference.seams import drop_seams, find_seams, luma, transpose
from pixtrim.kernels.reference.tokens import match_blocks, predict

__all__ = [
    "change_bits",
    "column_counts",
    "drop_seams",
    "find_seams",
    "gather",
    "landmarks",
    "luma",
    "marginals",
    "match_blocks",
    "predict",
    "resample",
    "row_counts",
    "transpose",
]
