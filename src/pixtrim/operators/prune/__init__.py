"""Predictive coding on the token grid: which tokens of a picture say something that the others do not.

`select` chooses, `KeepPlan` is what it decided and decodes, `find_offsets` compensates scrolling between two pictures.
`pixtrim.prune` puts them together.
"""

from pixtrim.operators.prune.metrics import METRICS, Metric, Tolerance
from pixtrim.operators.prune.motion import find_offsets, shifts
from pixtrim.operators.prune.picture import Origin, TokenPicture
from pixtrim.operators.prune.plan import KeepPlan
from pixtrim.operators.prune.selectors import Selector, register, select, selector_names

__all__ = [
    "METRICS",
    "KeepPlan",
    "Metric",
    "Origin",
    "Selector",
    "TokenPicture",
    "Tolerance",
    "find_offsets",
    "register",
    "select",
    "selector_names",
    "shifts",
]
