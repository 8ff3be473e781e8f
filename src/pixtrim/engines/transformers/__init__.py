"""Hugging Face transformers: patches left out before the vision encoder, for inference and training.

No class is patched: the encoder's own arguments say which patches there are, and ``generate`` takes what it returns.
"""

from __future__ import annotations

from pixtrim.errors import require

for module in ("torch", "transformers"):
    require(module, "transformers", "The transformers engine")

from pixtrim.engines.transformers.config import PruneConfig  # noqa: E402
from pixtrim.engines.transformers.pruner import Pruned, TransformersPruner  # noqa: E402

__all__ = ["PruneConfig", "Pruned", "TransformersPruner"]
