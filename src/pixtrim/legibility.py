"""How tall the text of a picture is, and whether it can still be read after scaling."""

from __future__ import annotations

import numpy as np

from pixtrim.operators.fold.changes import Changes
from pixtrim.operators.fold.runs import run_bounds

__all__ = ["LEAST_HEIGHT", "text_height"]

LEAST_HEIGHT = 9.0
"""Pixels from ascender to descender below which recognition breaks down (measured on typeset pages; see docs/results.md)."""

STRIPS = 24
LINE_HEIGHTS = (6, 64)  # in pixels: shorter runs are rules and specks, taller ones pictures
FEWEST_LINES = 8


def text_height(changes: Changes) -> float | None:
    """Return the typical height of a line of text, ascender to descender, in pixels of the original.

    The picture is cut into narrow strips, in which lines of text are runs of rows that are not of one colour; their
    lower quartile stands for the small print of the picture.

    Parameters
    ----------
    changes : Changes
        Where the picture changes.

    Returns
    -------
    float or None
        None where there are too few lines to tell.
    """
    edges = np.linspace(0, changes.width, STRIPS + 1).astype(int).tolist()
    heights = []
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        if right - left < 2:
            continue
        lines = run_bounds(~changes.uniform((0, changes.height, left, right), 0))
        heights.append(lines[:, 1] - lines[:, 0])
    found = np.concatenate(heights) if heights else np.empty(0)
    found = found[(found >= LINE_HEIGHTS[0]) & (found <= LINE_HEIGHTS[1])]
    return float(np.quantile(found, 0.25)) if len(found) >= FEWEST_LINES else None
