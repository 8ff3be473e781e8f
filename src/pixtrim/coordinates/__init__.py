"""Positions on an original picture and on its reduced one, in both directions.

A `CoordinateMap` is a chain of stages; the usual stage is a `PieceStage`, rectangles of the original that were each
scaled, folded or warped by their own `Axis` in x and y, and laid out anew. A `SeamStage` took pixels out of every row,
or out of every column, each at places of its own.

**Convention.** Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)`` and its centre is ``i + 0.5``. Points are
``(x, y)``; boxes are edges ``(x0, y0, x1, y1)``, so that a whole picture is ``(0, 0, width, height)``. A model that
answers with whole pixels ("click at 412, 88") means pixel centres: pass such answers as ``pixels=``.

**Joins.** Where rows or columns were dropped, many original positions share one reduced position, the join. Back on
the original, a point at a join lands behind the dropped run (the right limit); a box takes the right limit for its
start and the left limit for its end, so that a box around kept content comes back tight. A box that is nothing but a
join comes back as the dropped run.

**Pieces.** A position on the border of two pieces belongs to the right or lower one. A box that spans pieces becomes
the bounding box of its mapped parts; parts that hold nothing of the other picture (padding, dropped content) do not
widen it, unless the box has no other part. Positions in the padding of a piece mean the last edge of the piece.
"""

from __future__ import annotations

from pixtrim.coordinates.axis import Axis
from pixtrim.coordinates.map import CoordinateMap, Stage
from pixtrim.coordinates.pieces import Piece, PieceStage
from pixtrim.coordinates.seams import SeamStage

__all__ = ["Axis", "CoordinateMap", "Piece", "PieceStage", "SeamStage", "Stage"]
