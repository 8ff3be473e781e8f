"""A few layers on a ViT's features that say where the salient object is: they mask the pictures that have no mask."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

EPOCHS = 12
BATCH = 16
FINE = 48  # cells along a side of what the probe says

Floats = NDArray[np.float32]


class Probe(nn.Module):
    """Three convolutions on features of 24 x 24 patches."""

    def __init__(self, features: int, width: int = 96) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(features, width, 1),
            nn.GELU(),
            nn.Dropout2d(0.2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width // 2, 1, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


def inputs(features: NDArray[np.float16], attention: Floats) -> Tensor:
    """Stack features and the logarithm of attention: float32 (n, channels, 24, 24)."""
    cells = attention.shape[-1] ** 2
    looks = np.log(attention.reshape(len(attention), -1, *attention.shape[-2:]) * cells + 1e-3) * 0.3
    return torch.from_numpy(np.concatenate([features.astype(np.float32), looks.astype(np.float32)], axis=1))


def train(features: NDArray[np.float16], attention: Floats, masks: NDArray[np.uint8], seed: int) -> Probe:
    """Train a probe on pictures whose masks are known, (n, side, side) in 0 to 255."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    probe = Probe(features.shape[1] + attention.shape[1] * attention.shape[2])
    optimiser = torch.optim.AdamW(probe.parameters(), 2e-3, weight_decay=0.05)
    steps = EPOCHS * (len(masks) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    step = 0
    while step < steps:
        order = rng.permutation(len(masks))
        for start in range(0, len(masks) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            x = inputs(features[chosen], attention[chosen])
            y = torch.from_numpy(masks[chosen]).float()[:, None] / 255
            y = functional.interpolate(y, (FINE, FINE), mode="area")
            if rng.random() < 0.5:
                x, y = x.flip(3), y.flip(3)
            loss = overlap_loss(probe(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
    return probe.eval()


@torch.no_grad()
def apply(probe: Probe, features: NDArray[np.float16], attention: Floats) -> Floats:
    """Return what a probe says of pictures: float32 (n, 48, 48) in [0, 1]."""
    said = [
        probe(inputs(features[i : i + BATCH], attention[i : i + BATCH])).sigmoid()[:, 0].numpy()
        for i in range(0, len(features), BATCH)
    ]
    return np.concatenate(said)


def overlap_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return cross entropy and, for the shape as a whole, one minus the soft intersection over union."""
    p = logits.sigmoid()
    both, either = (p * target).sum((1, 2, 3)), (p + target - p * target).sum((1, 2, 3))
    return functional.binary_cross_entropy_with_logits(logits, target) + 0.5 * (1 - (both + 1) / (either + 1)).mean()
