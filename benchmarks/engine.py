"""Time the transformers engine beside the stock model: to the first token, and a step of training, by tokens kept.

Run: python benchmarks/engine.py [--size 2B|4B|8B] [--pages N] [--depth SHARE] [--quick] [--save]; --help names all

Qwen3-VL has its published widths and random weights, which take as long as the published ones. Pages are real:
documents and screenshots of the evaluation data, from the one of which least is kept to the one of which most is kept.
On CUDA the models are whole; elsewhere a share of their layers and of their vocabulary is run, which `--depth` says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from common import SHARED_DATA, Record, Stopwatch, arguments, give_up, heading, save, stages, table

from pixtrim import prune

try:
    import torch
    import transformers
except ModuleNotFoundError as missing:
    give_up(f"{missing.name} is not installed: pip install 'pixtrim[transformers]' torchvision")

import engine_models as qwen

from pixtrim.engines import mrope
from pixtrim.engines.pixels import frames_of, levels
from pixtrim.engines.transformers import PruneConfig, TransformersPruner
from pixtrim.engines.transformers.choice import choose
from pixtrim.engines.transformers.encoder import Geometry
from pixtrim.engines.transformers.kept import kept_fields, kept_patches, pad_id
from pixtrim.engines.transformers.prompt import RAW, processed, read_prompt

FOLDERS = ("documents", "gui_single", "gui_sequences")
CPU_TOKENS = 3200  # a page of more takes minutes
STAGE_ROUNDS = 16
Way = Callable[[], Record]


def pages(folder: Path, count: int, most: int | None) -> list[Path]:
    """Choose pages at even steps of the share that is kept, both ends included."""
    found = []
    for path in sorted(path for name in FOLDERS for path in (folder / name).rglob("*")):
        if path.suffix in (".png", ".jpg"):
            plan = prune(path, "qwen3-vl")
            if most is None or plan.tokens <= most:
                found.append((plan.ratio, path))
    if not found:
        give_up(f"{folder} has no {', '.join(FOLDERS)}: give the folder of the evaluation data with --data")
    found.sort()
    steps = [round(step * (len(found) - 1) / max(1, count - 1)) for step in range(count)]
    return [found[step][1] for step in steps]


class Engine:
    """A stock model, and the engine before it."""

    def __init__(self, size: str, depth: float, dtype: str, device: str) -> None:
        self.model, self.device = qwen.make_model(size, depth, dtype, device), device
        self.processor = qwen.make_processor()
        self.config = PruneConfig()
        self.pruner = TransformersPruner(self.model, self.processor, self.config)
        self.geometry = Geometry.of(self.model)
        self.bench = qwen.Bench(self.model)

    def first_token(self, page: Path) -> dict[str, Way]:
        """Return the ways to the first token."""
        messages = qwen.question(page)
        return {
            "full": lambda: self.bench.first_token(lambda: qwen.processed(self.processor, messages).to(self.device)),
            "pruned": lambda: self.bench.first_token(lambda: self.pruner(messages)),
        }

    def steps(self, page: Path) -> dict[str, Way]:
        """Return the ways of a step of training; all text is learned."""
        messages = qwen.question(page)
        full = dict(qwen.processed(self.processor, messages))
        full["labels"] = full["input_ids"].masked_fill(full["mm_token_type_ids"].bool(), -100)
        batches = {"full": full, "pruned": self.batch(messages, Stopwatch())}
        optimiser = qwen.tuned(self.model)

        def way(batch: Record) -> Record:
            batch = {name: value.to(self.device) for name, value in batch.items()}
            return self.bench.step(lambda model: model(**batch, use_cache=False).loss, optimiser)

        return {name: partial(way, batch) for name, batch in batches.items()}

    def batch(self, messages: list[Record], watch: Stopwatch) -> Record:
        """Do all that the engine does before the encoder, stage by stage; return a batch for the stock model."""
        prompt = read_prompt(self.processor, self.geometry.family, messages)
        part, grid = self.processor.image_processor, prompt.pictures[0].grid
        raw = processed(self.processor, messages, images_kwargs=RAW)["pixel_values"]
        watch("not counted")
        frames_of(levels(raw, part, normalised=False), grid)
        watch("pictures from patches")
        chosen = choose(prompt, self.config)
        watch("selector")
        values = kept_patches(prompt.pictures, chosen, self.processor)
        watch("patches of kept tokens")
        grids, keeps = [each.grid for each in chosen], [each.keep for each in chosen]
        encoder = {f"image_{name}": value for name, value in self.geometry.arguments(grids, keeps).items()}
        encoder["image_grid_thw"] = self.geometry.strip_grid(grids, keeps)
        watch("arguments of the encoder")
        fields = kept_fields(prompt, chosen, self.model.model.get_rope_index, pad_id(self.processor))
        fields["position_ids"] = mrope.with_text_row(fields["position_ids"], fields["attention_mask"])
        fields["labels"] = fields["input_ids"].masked_fill(fields["mm_token_type_ids"].bool(), -100)
        watch("columns of the prompt")
        return {**fields, **encoder, "pixel_values": values}

    def stages(self, page: Path) -> Record:
        """Time the stages that the engine adds, and their sum, in milliseconds."""
        messages, watches = qwen.question(page), []
        for _ in range(STAGE_ROUNDS):
            watches.append(Stopwatch(qwen.clock))
            self.batch(messages, watches[-1])
        found = stages(watches)
        del found["not counted"]  # the processor, which the stock model needs as well
        return {**found, "added": sum(found.values())}


def of_first_token(engine: Engine, page: Path, rounds: int) -> Record:
    """Measure a page to the first token."""
    engine.pruner(qwen.question(page))
    last = engine.pruner.last
    found = qwen.in_turn(engine.first_token(page), rounds)
    full, pruned, spent = found["full"], found["pruned"], engine.stages(page)
    return {
        "tokens": last.tokens,
        "kept": last.kept / last.tokens,
        "prompt": last.prompt_tokens[0],
        "kept prompt": last.kept_prompt_tokens[0],
        "full": full,
        "pruned": pruned,
        "full / pruned": full["total"] / pruned["total"],
        "of the encoder": full["vit"] / pruned["vit"],
        "of the prefill": full["prefill"] / pruned["prefill"],
        "stages": spent,
        "selector share": spent["selector"] / pruned["total"],
        "added share": spent["added"] / pruned["total"],
    }


def of_training(engine: Engine, page: Path, rounds: int) -> Record:
    """Measure a step of training on a page."""
    engine.model.train()
    found = qwen.in_turn(engine.steps(page), rounds)
    engine.model.eval()
    return {**found, "full / pruned": found["full"]["total"] / found["pruned"]["total"]}


def shown(record: Record) -> Record:
    """Return the columns that are printed."""
    first, step = record["first token"], record.get("training")
    row = {
        "page": record["page"],
        "tokens": first["tokens"],
        "kept": first["kept"],
        "full s": first["full"]["total"] / 1000,
        "pruned s": first["pruned"]["total"] / 1000,
        "first token": first["full / pruned"],
        "encoder": first["of the encoder"],
        "prefill": first["of the prefill"],
        "selector %": 100 * first["selector share"],
        "added %": 100 * first["added share"],
    }
    if step:
        row |= {"step s": step["full"]["total"] / 1000, "pruned step s": step["pruned"]["total"] / 1000}
        row["training"] = step["full / pruned"]
    return row


def default_dtype(device: str) -> str:
    """Choose bfloat16 where the device multiplies it faster than float32: on CUDA, and processors with AMX."""
    path = Path("/proc/cpuinfo")
    fast = device == "cuda" or (path.exists() and "amx_bf16" in path.read_text(encoding="utf-8"))
    return "bfloat16" if fast else "float32"


def about(options: argparse.Namespace, model: Any) -> Record:
    """Describe what was run."""
    vision, text = model.config.vision_config, model.config.text_config
    return {
        "model": f"Qwen3-VL-{options.size}, random weights",
        "depth": options.depth,
        "layers": {"encoder": vision.depth, "language model": text.num_hidden_layers},
        "vocabulary": text.vocab_size,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "attention": "sdpa",
        "dtype": options.dtype,
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "clock": "wall" if qwen.CUDA else "processor time",
        "transformers": transformers.__version__,
        "rounds": options.rounds,
        "steps": options.steps,
    }


def options_of(description: str, results: str, pages_default: int) -> argparse.ArgumentParser:
    """Return the parser of the options that both benchmarks of the engine have."""
    parser = arguments(description, results)
    parser.add_argument("--size", choices=tuple(qwen.SIZES), default="2B", help="size of the model")
    parser.add_argument("--pages", type=int, default=pages_default, metavar="N", help="pages, from least to most kept")
    rounds, steps, depth = (10, 10, 1.0) if qwen.CUDA else (3, 1, 0.25)
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help="requests of each kind and page")
    parser.add_argument("--steps", type=int, default=steps, metavar="N", help="steps of training; 0: none")
    parser.add_argument("--depth", type=float, default=depth, metavar="SHARE", help="share of the layers that is run")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), help="by default the faster of them")
    parser.add_argument("--quick", action="store_true", help="a first look: three small pages, no training")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, metavar="DIR", help="folder of the evaluation data")
    return parser


def completed(options: argparse.Namespace) -> list[Path]:
    """Fill in the options that depend on others or on the machine; return the pages."""
    if not options.data.is_dir():
        give_up(f"the evaluation data are not in {options.data}: give their folder with --data")
    options.device = "cuda" if qwen.CUDA else "cpu"
    options.dtype = options.dtype or default_dtype(options.device)
    most = None if options.device == "cuda" else CPU_TOKENS
    if options.quick:
        options.pages, options.rounds, options.steps, most = min(options.pages, 3), 1, 0, 1300
    return pages(options.data, options.pages, most)


def main() -> None:
    """Measure page by page, print each as it comes; with --save, write the figures as well."""
    parser = options_of("Time the transformers engine.", "engine-SIZE", 5)
    options = parser.parse_args()
    chosen = completed(options)
    heading()
    engine = Engine(options.size, options.depth, options.dtype, options.device)
    described = about(options, engine.model)
    print(", ".join(f"{name} {value}" for name, value in described.items()), end="\n\n")
    for way in engine.first_token(chosen[-1]).values():
        way()  # what is done once only, such as memory that is asked for the first time
    found: list[Record] = []
    for page in chosen:
        record = {"page": page.relative_to(options.data).as_posix()}
        record["first token"] = of_first_token(engine, page, options.rounds)
        if options.steps:
            record["training"] = of_training(engine, page, options.steps)
        found.append(record)
        print(f"{len(found)} of {len(chosen)} pages", file=sys.stderr)
        table([shown(record)])
    print("all pages")
    table([shown(record) for record in found])
    if options.save:
        whole = "-whole" if options.depth == 1 else ""
        save(f"engine-{options.size.lower()}{whole}", found, **described)


if __name__ == "__main__":
    main()
