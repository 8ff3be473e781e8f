"""A plugin of `pixtrim evaluate`: warp and carve with each source of importance, as operators of their own.

    pixtrim evaluate photos/ --model qwen3-vl --plugin benchmarks/importance_operators.py --operator warp-text

benchmarks/evaluate.py takes it for its run on photos. "attention" is that of the third block from the end of DeiT-Tiny,
from the evaluation data; without them there is none.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pixtrim.evaluation.reducers import register, shrunk

WEIGHTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "weights" / "deit_tiny_fp16.npz"
SOURCES = {
    "gradient": "gradient",
    "text": "text",
    "saliency": "saliency",
    "both": "text+saliency",
}
if WEIGHTS.is_file():
    SOURCES["attention"] = f"attention:{WEIGHTS}?layers=-3"

for operator in ("warp", "carve"):
    for name, source in SOURCES.items():
        register(f"{operator}-{name}", partial(shrunk, operator, importance=source))
