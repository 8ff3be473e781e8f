"""Train the model behind `pixtrim.importance.student` and write its weights.

Run: python training/train_saliency.py --teacher FILE.npz --pictures DIR ... [--masks DIR ...] [--exclude DIR ...]

training/README.md says what the weights in the package were trained on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import batches
import numpy as np
import torch
from batches import CELL, COARSER, Batch
from material import Prepared, prepare
from model import Student
from torch import Tensor
from torch.nn import functional

INPUT_SIDE, STEP = 224, 16  # as pixtrim.importance.student has them
ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src" / "pixtrim" / "importance" / "student.npz"
BATCH = 32
RATE = 3e-3
DECAY = 0.02
AVERAGED = 0.995  # of the running mean of the weights, which is what is kept
EARLY = 0.6  # share of the epochs that look at small pictures
COUNTS = (1.0, 0.7, 1.0, 1.0)  # how much object, attention, text and features count in the loss


def losses(logits: Tensor, maps: Tensor, trust: Tensor) -> Tensor:
    """Return the loss of each of the three maps."""
    entropy = functional.binary_cross_entropy_with_logits(logits, maps, reduction="none").mean((2, 3))
    p = logits.sigmoid()
    both, either = (p * maps).sum((2, 3)), (p + maps - p * maps).sum((2, 3))
    overlap = 1 - (both + 1) / (either + 1)
    parts = torch.stack(
        [(entropy[:, 0] + 0.5 * overlap[:, 0]) * trust, entropy[:, 1], entropy[:, 2] + 0.2 * overlap[:, 2]]
    )
    return parts.mean(1)


def train(prepared: Prepared, epochs: int, seed: int, report: Path) -> Student:
    """Train a student; return it with the running mean of its weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    student = Student().to(memory_format=torch.channels_last)
    averaged = torch.optim.swa_utils.AveragedModel(
        student, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGED), use_buffers=True
    )
    optimiser = torch.optim.AdamW(student.parameters(), RATE, weight_decay=DECAY)
    order = prepared.training
    steps = epochs * (len(order) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.15)
    counts, start = torch.tensor(COUNTS), time.time()
    for epoch in range(epochs):
        order, small = rng.permutation(order), epoch < EARLY * epochs
        parts = [order[at : at + BATCH] for at in range(0, len(order) - BATCH + 1, BATCH)]
        total = np.zeros(len(COUNTS))
        for batch in ahead(batches.batch(prepared.material, part, rng, small) for part in parts):
            with torch.autocast("cpu", torch.bfloat16):
                logits, described = student.both(batch.pixels.to(memory_format=torch.channels_last))
            found = losses(logits.float(), batch.maps, batch.trust)
            features = ((described.float() - batch.described) ** 2).mean(1, keepdim=True)
            found = torch.cat([found, (features * batch.seen).mean()[None]])
            optimiser.zero_grad()
            (found * counts).sum().backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(student)
            total += found.detach().numpy()
        if epoch % 4 == 3 or epoch == epochs - 1:
            model = averaged.module.eval()
            figures = {"epoch": epoch + 1, "seconds": round(time.time() - start), **validate(model, prepared)}
            figures |= {"losses": (total * BATCH / len(order)).round(4).tolist()}
            print(json.dumps(figures), flush=True)
            with report.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(figures) + "\n")
            write(model, report.with_name("latest.npz"))
    return averaged.module.eval()


def ahead(made: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches; a thread makes the next one meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, made, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, made, None)
            yield batch


@torch.no_grad()
def validate(student: Student, prepared: Prepared) -> dict[str, float]:
    """Measure a student on the masked pictures that it was not trained on."""
    chosen = prepared.validation
    maps = prepared.material.maps[chosen].float() / 255
    pixels = prepared.material.pixels[chosen].float() / 255
    said = []
    for one, aspect in zip(pixels, prepared.material.aspects[chosen], strict=True):
        sides = [max(1, round(side / max(aspect, 1) * INPUT_SIDE / STEP)) * STEP for side in (1, aspect)]
        seen = functional.interpolate(one[None], sides, mode="bilinear", antialias=True)
        said.append(functional.interpolate(student(seen).sigmoid(), (40, 40), mode="bilinear", antialias=True)[0])
    p, m = torch.stack(said), functional.avg_pool2d(maps, CELL // COARSER)
    inside = m[:, 0] > 0.5
    union = (inside | (p[:, 0] > 0.5)).sum((1, 2)).clamp(min=1)
    centred = [x - x.mean((1, 2), keepdim=True) for x in (p[:, 1], m[:, 1])]
    correlation = (centred[0] * centred[1]).sum((1, 2)) / torch.sqrt(
        (centred[0] ** 2).sum((1, 2)) * (centred[1] ** 2).sum((1, 2))
    )
    return {
        "error": round(float((p[:, 0] - m[:, 0]).abs().mean()), 4),
        "overlap": round(float(((inside & (p[:, 0] > 0.5)).sum((1, 2)) / union).mean()), 4),
        "correlation": round(float(correlation.mean()), 4),
        "text": round(float((p[:, 2] - m[:, 2]).abs().mean()), 4),
    }


def write(student: Student, path: Path) -> None:
    """Write the weights as the package reads them."""
    np.savez(path, **student.export())


def main() -> None:
    """Read the options, prepare, train and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, help="folders of photos")
    parser.add_argument(
        "--masks", type=Path, nargs="*", default=[], help="folders beside those, masks of the same names"
    )
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], help="folders of pictures kept for measuring")
    parser.add_argument("--teacher", type=Path, required=True, help="weights of a plain ViT, by timm's names, as .npz")
    parser.add_argument("--cache", type=Path, default=Path("training-cache"), help="folder for what the teachers say")
    parser.add_argument("--epochs", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights go")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.cache.mkdir(parents=True, exist_ok=True)
    prepared = prepare(options.pictures, options.masks, options.exclude, options.teacher, options.cache, options.seed)
    if not len(prepared.validation):
        print("no picture has a mask: name folders of masks with --masks", file=sys.stderr)
        sys.exit(2)
    student = train(prepared, options.epochs, options.seed, options.cache / "progress.jsonl")
    write(student, options.out)
    print(f"written to {options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
