"""The grid on which a vision model sees a picture: patches, merged into the tokens that its language model is given.

Three sizes meet here. A *patch* is what the processor cuts (16 px for Qwen3-VL); ``spatial_merge_size`` patches on a
side are merged into one *token* (32 px); ``grid_thw`` counts time slots, rows and columns of patches, as processors
return it.
"""

from __future__ import annotations

from pixtrim.grid.checks import FITS, MAX_TOKEN_SIDE, ORDERS
from pixtrim.grid.patches import PatchGrid

__all__ = ["FITS", "MAX_TOKEN_SIDE", "ORDERS", "PatchGrid"]
