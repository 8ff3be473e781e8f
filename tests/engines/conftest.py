"""Set-up of the engine's tests, which run where PyTorch is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for tiny.py
torch.set_num_threads(1)  # models this small are slower on more

# torchvision's wheels need the operators of the CUDA build of PyTorch to be imported, not to work: declared here, they
# let processors run beside the CPU build. Where torchvision suits PyTorch they exist, and this is left alone.
if not torch.cuda.is_available() and torch.version.cuda is None:
    _OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
    for _schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        _OPERATORS.define(_schema)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let other libraries deprecate their own ways."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for kind in ("DeprecationWarning", "FutureWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))
