"""Pictures for people: what is important, before and after, what went away, and which tokens stayed.

`heat_map` and `faded` show the importance of a picture, `seams_picture` the seams that are removed from it, and
`warp_grid` how a map moves a grid. `dropped` answers which pixels of the original a `CoordinateMap` left out, `overlay`
tints them, and `before_after` puts both pictures and the tinted original on one sheet. `plan_picture` shows the tokens
that a `KeepPlan` keeps, and where the others come from. The same arguments give the same pixels with the same Pillow.
"""

from pixtrim.draw.grid import warp_grid
from pixtrim.draw.importance import faded, heat_map
from pixtrim.draw.mask import dropped, overlay
from pixtrim.draw.plan import plan_picture
from pixtrim.draw.seams import removed_by, seams_picture
from pixtrim.draw.sheet import before_after

__all__ = [
    "before_after",
    "dropped",
    "faded",
    "heat_map",
    "overlay",
    "plan_picture",
    "removed_by",
    "seams_picture",
    "warp_grid",
]
