"""How tall the text of a picture is, and whether it can still be read after scaling."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pixtrim.operators.fold.changes import Changes
from pixtrim.operators.fold.runs import run_bounds

__all__ = ["COMFORTABLE_HEIGHT", "LEAST_HEIGHT", "text_height"]

LEAST_HEIGHT = 8.0
"""Pixels from ascender to descender below which text is not recognised (measured on typeset pages, docs/results.md)."""

COMFORTABLE_HEIGHT = 14.0
"""Pixels from which on larger lines are read no better."""

STRIPS = 24
LETTERS = 4  # line heights that a strip is wide, at least: in narrower ones letters without a stem pass for a low line
LINE_HEIGHTS = (6, 64)  # in pixels: shorter runs are rules and specks, taller ones pictures
FEWEST_LINES = 8


def text_height(changes: Changes) -> float | None:
    """Return the typical height of a line of text, ascender to descender, in pixels of the original.

    The picture is cut into narrow strips, in which lines of text are runs of rows that are not of one colour; their
    lower quartile stands for the small print of the picture. Large text is measured again in wider strips.

    Parameters
    ----------
    changes : Changes
        Where the picture changes.

    Returns
    -------
    float or None
        None where there are too few lines to tell.
    """
    height = _height(changes, STRIPS)
    if height is None:
        return None
    fewer = max(1, int(changes.width / (LETTERS * height)))
    return (_height(changes, fewer) or height) if fewer < STRIPS else height


def _height(changes: Changes, strips: int) -> float | None:
    edges = np.linspace(0, changes.width, strips + 1).astype(int).tolist()
    heights = []
    for left, right in pairwise(edges):
        if right - left < 2:
            continue
        lines = run_bounds(~changes.uniform((0, changes.height, left, right), 0))
        heights.append(lines[:, 1] - lines[:, 0])
    found = np.concatenate(heights) if heights else np.empty(0)
    found = found[(found >= LINE_HEIGHTS[0]) & (found <= LINE_HEIGHTS[1])]
    return float(np.quantile(found, 0.25)) if len(found) >= FEWEST_LINES else None
