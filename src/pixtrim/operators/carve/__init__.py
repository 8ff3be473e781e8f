"""carve: take out seams, connected paths of pixels from one side to the other that cost least.

For large reductions with an importance that can be relied on. `carve` goes to a size, along both axes; `seam_order`
looks at one axis once, and its `SeamOrder` gives any smaller size along it at once. `tile_company` is a preset that
repeats another program. docs/carving.md says how it works.
"""

from __future__ import annotations

from pixtrim.operators.carve.carved import Carved
from pixtrim.operators.carve.order import SeamOrder, seam_order
from pixtrim.operators.carve.search import DEFAULT_ENERGY, DEFAULT_STRENGTH, ENERGIES, MOST_IMPORTANT, Energy, carve
from pixtrim.operators.carve.tile_company import tile_company

__all__ = [
    "DEFAULT_ENERGY",
    "DEFAULT_STRENGTH",
    "ENERGIES",
    "MOST_IMPORTANT",
    "Carved",
    "Energy",
    "SeamOrder",
    "carve",
    "seam_order",
    "tile_company",
]
