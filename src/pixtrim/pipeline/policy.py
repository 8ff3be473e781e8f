"""What `auto` does to a picture that is not folded: a plain resize, unless the evaluation has shown something better.

The rule rests on `benchmarks/results/evaluate-photos.json`; `tests/test_evidence.py` holds it to that. Of photos
without words a warp keeps the objects larger, and a carve more so, but networks that see the picture as a whole find it
changed. So photos are warped only where there are words in them that would be scaled down beyond reading.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pixtrim.importance import confidence, importance_of
from pixtrim.inspection import Inspection
from pixtrim.pipeline.task import Task

__all__ = ["CONFIDENT", "LEGIBLE", "SURE", "WORDS", "choose"]

SURE: Final = 0.8  # importance by text from which a pixel counts as a part of a word
WORDS: Final = 0.065  # share of such pixels from which there are words
CONFIDENT: Final = 0.6  # of the map of words, from which they stand somewhere, and are no texture all over
LEGIBLE: Final = 0.8  # a scale that words stay legible at


def choose(task: Task, inspection: Inspection) -> str:
    """Return the last step: ``"warp"`` for photos with words where the reduction is large, else ``"resize"``.

    A warp goes by the words, if the caller named no source: so most of them are read.
    """
    if inspection.kind != "photo" or task.scale(*task.size) > LEGIBLE:
        return "resize"
    found = importance_of(task.pixels, "text")
    if np.count_nonzero(found > SURE) < WORDS * found.size or confidence(found) < CONFIDENT:
        return "resize"
    task.guide.prefer("text", found)
    return "warp"
