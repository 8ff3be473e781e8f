"""Hugging Face transformers: patches left out before the vision encoder, for inference and training.

No class is patched: the encoder's own arguments say which patches there are, and ``generate`` takes what it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pixtrim.errors import require

if TYPE_CHECKING:
    from pixtrim.engines.transformers.training.distill import DistillingTrainer

for module in ("torch", "transformers"):
    require(module, "transformers", "The transformers engine")

from pixtrim.engines.transformers.config import PruneConfig  # noqa: E402
from pixtrim.engines.transformers.pruner import Pruned, TransformersPruner  # noqa: E402
from pixtrim.engines.transformers.smaller import SmallerPictures  # noqa: E402
from pixtrim.engines.transformers.training import PruningCollator, attach, detach  # noqa: E402

__all__ = [
    "DistillingTrainer",
    "PruneConfig",
    "Pruned",
    "PruningCollator",
    "SmallerPictures",
    "TransformersPruner",
    "attach",
    "detach",
]


def __getattr__(name: str) -> object:
    if name != "DistillingTrainer":  # it alone imports transformers' trainer
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pixtrim.engines.transformers.training.distill import DistillingTrainer

    return DistillingTrainer
