"""Pictures for people: before, after, what went away, and which tokens stayed.

`dropped` answers which pixels of the original a `CoordinateMap` left out, `overlay` tints them, and `before_after` puts
both pictures and the tinted original on one sheet. `plan_picture` shows the tokens that a `KeepPlan` keeps, and where
the others come from. The same arguments give the same pixels with the same Pillow.
"""

from pixtrim.draw.mask import dropped, overlay
from pixtrim.draw.plan import plan_picture
from pixtrim.draw.sheet import before_after

__all__ = ["before_after", "dropped", "overlay", "plan_picture"]
