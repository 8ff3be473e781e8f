"""The student as a PyTorch module; `pixtrim.importance.student` computes the same from the exported weights."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

OUTPUTS = ("object", "attention", "text")
DESCRIBED = 48  # numbers by which the features of a ViT are described, of which the student learns to say them
HEADS = 4
WIDTHS = (24, 64, 128)


class Convolution(nn.Module):
    """A convolution and its normalisation, which the export folds into one."""

    def __init__(self, before: int, after: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.linear = nn.Conv2d(before, after, size, stride, padding=size // 2 if stride == 1 else 0, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight (size * size * before, after) and bias (after,), rows ordered by row, column and channel."""
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        weight = self.linear.weight * scale[:, None, None, None]
        bias = self.norm.bias - self.norm.running_mean * scale
        return weight.permute(2, 3, 1, 0).reshape(-1, len(bias)), bias


class Attention(nn.Module):
    """Every place looks at all others: what a picture shows is judged as a whole."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.asked = Convolution(width, 3 * width, 1)
        self.answer = Convolution(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        count, width, rows, columns = x.shape
        q, k, v = self.asked(x).reshape(count, 3, HEADS, width // HEADS, -1).transpose(3, 4).unbind(1)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return x + self.answer(mixed.transpose(2, 3).reshape(count, width, rows, columns))


class Student(nn.Module):
    """Patches of 4 x 4 pixels, three scales down to 16, and back up to 8, where three maps come out."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.patches = Convolution(3, fine, 4, 4)
        self.fine = Convolution(fine, fine, 3)
        self.halve1 = Convolution(fine, middle, 2, 2)
        self.middle1 = Convolution(middle, middle, 3)
        self.middle2 = Convolution(middle, middle, 3)
        self.halve2 = Convolution(middle, coarse, 2, 2)
        self.coarse1 = Convolution(coarse, coarse, 3)
        self.look = Attention(coarse)
        self.coarse2 = Convolution(coarse, coarse, 3)
        self.coarse3 = Convolution(coarse, coarse, 3)
        self.narrow = Convolution(coarse, middle, 1)
        self.merge = Convolution(middle, middle, 3)
        self.maps = nn.Conv2d(middle, len(OUTPUTS), 1)
        self.describe = nn.Conv2d(coarse, DESCRIBED, 1)  # for training only: it is not exported

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits of the three maps, (B, 3, H / 8, W / 8), of pictures (B, 3, H, W) in [0, 1]."""
        return self.both(pixels)[0]

    def both(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` does, and the ViT's features as the student guesses them, (B, 48, H / 16, W / 16)."""
        x = functional.relu(self.patches(2 * pixels - 1))
        x = functional.relu(x + self.fine(x))
        x = functional.relu(self.halve1(x))
        x = functional.relu(x + self.middle1(x))
        x = functional.relu(x + self.middle2(x))
        side = x
        x = functional.relu(self.halve2(x))
        x = functional.relu(x + self.coarse1(x))
        x = self.look(x)
        x = functional.relu(x + self.coarse2(x))
        x = functional.relu(x + self.coarse3(x))
        described = self.describe(x)
        x = side + functional.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        x = functional.relu(x)
        x = functional.relu(x + self.merge(x))
        return self.maps(x), described

    def export(self) -> dict[str, NDArray[np.float16]]:
        """Return the weights as the package stores them: float16, normalisation folded in."""
        arrays = {}
        for name, module in self.named_modules():
            if isinstance(module, Convolution):
                arrays[f"{name}.weight"], arrays[f"{name}.bias"] = module.folded()
        arrays["maps.weight"] = self.maps.weight.flatten(1).T
        arrays["maps.bias"] = self.maps.bias
        return {name: array.detach().cpu().numpy().astype(np.float16) for name, array in arrays.items()}
