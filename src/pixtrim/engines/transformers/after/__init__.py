"""The second stage: fewer of the tokens that the encoder made reach the language model.

Each way is one file. All choose within a budget, so that they can be compared at equal tokens, and all compose with
pruning before the encoder, whose kept tokens are what they choose from.
"""

from __future__ import annotations

from pixtrim.engines.transformers.after.divprune import DivPrune
from pixtrim.engines.transformers.after.downsample import Downsample
from pixtrim.engines.transformers.after.hiprune import HiPrune
from pixtrim.engines.transformers.after.random import RandomTokens
from pixtrim.engines.transformers.after.stage import Encoded, Reducer, Reduction, reduce_outputs
from pixtrim.engines.transformers.after.visionzip import VisionZip

__all__ = [
    "REDUCERS",
    "DivPrune",
    "Downsample",
    "Encoded",
    "HiPrune",
    "RandomTokens",
    "Reducer",
    "Reduction",
    "VisionZip",
    "reduce_outputs",
]

REDUCERS = {
    "hiprune": HiPrune,
    "visionzip": VisionZip,
    "divprune": DivPrune,
    "random": RandomTokens,
    "downsample": Downsample,
}
"""The ways by name, each made from a budget alone."""
