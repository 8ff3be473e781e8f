"""Types of the C++ module; pixtrim.kernels.reference documents the functions.

`level` picks a vector level by its name. All give the same results; the empty name, the default, is the widest.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Values = TypeVar("Values", np.uint8, np.uint32)

def levels() -> tuple[str, ...]: ...
def change_bits(
    pixels: NDArray[np.uint8], threshold: int, threads: int = 1, *, level: str = ""
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]: ...
def row_counts(
    bits: NDArray[np.uint64], y0: int, y1: int, x0: int, x1: int, *, level: str = ""
) -> NDArray[np.int32]: ...
def column_counts(
    bits: NDArray[np.uint64], y0: int, y1: int, x0: int, x1: int, *, level: str = ""
) -> NDArray[np.int32]: ...
def gather(
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    out: NDArray[np.uint8],
    y: int,
    x: int,
    threads: int = 1,
    *,
    level: str = "",
) -> None: ...
def resample(
    pixels: NDArray[np.uint8],
    row_starts: NDArray[np.int32],
    row_weights: NDArray[np.int16],
    column_starts: NDArray[np.int32],
    column_weights: NDArray[np.int16],
    threads: int = 1,
    *,
    level: str = "",
) -> NDArray[np.uint8]: ...
def match_blocks(
    pixels: NDArray[np.uint8],
    corners: NDArray[np.int32],
    other: NDArray[np.uint8],
    other_corners: NDArray[np.int32],
    height: int,
    width: int,
    metric: int,
    limit: int,
    threads: int = 1,
    *,
    level: str = "",
) -> NDArray[np.bool_]: ...
def predict(
    pixels: NDArray[np.uint8],
    token_h: int,
    token_w: int,
    selector: int,
    metric: int,
    limit: int,
    reference: NDArray[np.uint8] | None = None,
    offsets: NDArray[np.int32] | None = None,
    *,
    level: str = "",
) -> NDArray[np.int32]: ...
def landmarks(
    pixels: NDArray[np.uint8], rarity: int, *, level: str = ""
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]: ...
def luma(pixels: NDArray[np.uint8], threads: int = 1, *, level: str = "") -> NDArray[np.uint8]: ...
def find_seams(
    luma: NDArray[np.uint8] | None,
    bias: NDArray[np.uint8] | None,
    energy: int,
    seams: int,
    seams_per_pass: int = 1,
    limit: int = 2147483647,
    *,
    level: str = "",
) -> tuple[NDArray[np.uint16], int]: ...
def drop_seams(
    values: NDArray[Values], order: NDArray[np.uint16], seams: int, axis: int = 1, *, level: str = ""
) -> NDArray[Values]: ...
def marginals(
    values: NDArray[np.float32], *, level: str = ""
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]: ...
def transpose(values: NDArray[np.uint8], *, level: str = "") -> NDArray[np.uint8]: ...
