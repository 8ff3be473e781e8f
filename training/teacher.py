"""What the student learns from: the attention of a ViT, and salient objects as a probe of its features sees them.

The ViT was trained to name pictures; nobody told it where the objects are. A few layers on top of its features, trained
on pictures whose salient objects are masked, say so for all other pictures: these are the masks of the unmasked.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

HEAD = 64  # width of an attention head
GRID = 24  # patches along a side of a picture: 384 pixels
LAYERS = (3, 7, 11)  # whose tokens the probe sees
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Teacher:
    """A plain ViT of timm's parameter names, from a .npz file.

    Parameters
    ----------
    path : path
        One array for each parameter, in any float type.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self.weights = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}
        self.depth = len({name.split(".")[1] for name in self.weights if name.startswith("blocks.")})
        self.width, _, self.patch, _ = self.weights["patch_embed.proj.weight"].shape
        places = self.weights["pos_embed"][:, 1:]
        side = math.isqrt(places.shape[1])
        square = places.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        self.places = functional.interpolate(square, (GRID, GRID), mode="bicubic").flatten(2).transpose(1, 2)

    @torch.no_grad()
    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Look at square pictures.

        Parameters
        ----------
        pixels : tensor
            uint8 (B, side, side, 3).

        Returns
        -------
        features : tensor
            float16 (B, 3 * D, 24, 24), of the layers `LAYERS`, normalised.
        attention : tensor
            float32 (B, depth, 2, 24, 24): what the class token attends to, and the mean of what all tokens attend to.
        """
        x = pixels.permute(0, 3, 1, 2).float() / 255
        x = functional.interpolate(x, (GRID * self.patch,) * 2, mode="bilinear", antialias=True, align_corners=False)
        x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
        w, count = self.weights, len(x)
        x = functional.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], self.patch)
        x = x.flatten(2).transpose(1, 2) + self.places
        x = torch.cat([(w["cls_token"] + w["pos_embed"][:, :1]).expand(count, -1, -1), x], dim=1)
        features, attention = [], []
        for number in range(self.depth):
            block = f"blocks.{number}."
            mixed, weights = self._attention(self._normed(x, f"{block}norm1"), f"{block}attn")
            x = x + mixed
            x = x + self._linear(
                functional.gelu(self._linear(self._normed(x, f"{block}norm2"), f"{block}mlp.fc1")), f"{block}mlp.fc2"
            )
            attention.append(torch.stack([weights[:, :, 0, 1:].mean(1), weights[:, :, 1:, 1:].mean((1, 2))], 1))
            if number in LAYERS:
                features.append(functional.layer_norm(x[:, 1:], (self.width,)))
        flat = torch.cat(features, -1).transpose(1, 2).reshape(count, -1, GRID, GRID)
        return flat.half(), torch.stack(attention, 1).float().reshape(count, self.depth, 2, GRID, GRID)

    def _attention(self, x: Tensor, name: str) -> tuple[Tensor, Tensor]:
        count, tokens, _ = x.shape
        q, k, v = self._linear(x, f"{name}.qkv").reshape(count, tokens, 3, -1, HEAD).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(2, 3) / math.sqrt(HEAD)).softmax(-1)
        return self._linear((weights @ v).transpose(1, 2).reshape(count, tokens, -1), f"{name}.proj"), weights

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normed(self, x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(
            x, (self.width,), self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-6
        )
