"""The hot loops: native where the C++ module is built, else the NumPy reference that defines them.

`BACKEND` says which: ``"native"`` or ``"reference"``. Both give the same results bit for bit;
`pixtrim.kernels.reference` documents the functions.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BACKEND",
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

try:
    from pixtrim._native import (
        change_bits,
        column_counts,
        drop_seams,
        find_seams,
        gather,
        landmarks,
        luma,
        marginals,
        match_blocks,
        predict,
        resample,
        row_counts,
        transpose,
    )
except ModuleNotFoundError:  # not built; one that is there but broken raises a plain ImportError, which stays visible
    from pixtrim.kernels.reference import (  # type: ignore[assignment]
        change_bits,
        column_counts,
        drop_seams,
        find_seams,
        gather,
        landmarks,
        luma,
        marginals,
        match_blocks,
        predict,
        resample,
        row_counts,
        transpose,
    )

    _backend = "reference"
else:
    _backend = "native"

BACKEND: Final[str] = _backend
