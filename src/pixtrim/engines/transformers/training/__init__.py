"""Training on pictures with fewer tokens: batches that the stock model takes, in any trainer.

`PruningCollator` makes the batches, `attach` is needed for a few families only, and `DistillingTrainer` teaches a model
to say of pruned pictures what it says of whole ones.
"""

from __future__ import annotations

from pixtrim.engines.transformers.training.attach import attach, detach
from pixtrim.engines.transformers.training.collator import PruningCollator

__all__ = ["PruningCollator", "attach", "detach"]
