"""The second stage: fewer of the tokens that the encoder made reach the language model.

Each way is one file. All choose within a budget, so that they can be compared at equal tokens, and all compose with pruning
before the encoder, whose kept tokens are what they choose from.
"""

from __future__ import annotations

from pixtrim.engines.transformers.after.stage import Encoded, Reducer, Reduction, reduce_outputs

__all__ = ["Encoded", "Reducer", "Reduction", "reduce_outputs"]
