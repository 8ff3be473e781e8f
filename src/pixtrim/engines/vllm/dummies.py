"""Pictures by which vLLM measures at its start how much memory the worst request needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from pixtrim.engines.vllm.policy import KEY, engine_policy

__all__ = ["WORST", "NoisyDummies"]

WORST = {KEY: {"selector": "pred_2d", "metric": "exact", "threshold": 0, "anchored": True, "skip_ratio": None}}
"""The policy by which nothing of noise is dropped."""


class NoisyDummies:
    """Mixed into what makes vLLM's dummy pictures: noise, of which all is kept, in place of white."""

    info: Any

    def _get_dummy_images(self, **kwargs: Any) -> Any:
        images = super()._get_dummy_images(**kwargs)  # type: ignore[misc]
        if not images or not engine_policy(self.info.get_hf_config())[0]:
            return images
        width, height = images[0].size
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        return [Image.fromarray(noise)] * len(images)
