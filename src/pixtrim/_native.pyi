"""Types of the C++ module; pixtrim.kernels.reference documents the functions.

`level` picks a vector level by its name. All give the same results; the empty name, the default, is the widest.
"""

import numpy as np
from numpy.typing import NDArray

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
