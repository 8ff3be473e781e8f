"""Time the engine and the published PixelPrune side by side, each beside the stock model of its transformers.

The published code is not part of this repository, and works with transformers 4.57 alone: clone
github.com/OPPO-Mente-Lab/PixelPrune, make an environment with transformers==4.57.6, torch and torchvision, and run

    python benchmarks/engine_published.py --pixelprune DIR --python PATH [--save] [options of engine.py]

with DIR the clone, and PATH the interpreter of that environment. Page by page, both run the same pictures through a
model of the same size; each is compared with the unpruned model of its own environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from common import ROOT, Record, give_up, heading, save, table
from engine import Engine, about, completed, of_first_token, of_training, options_of


class Child:
    """The published code, in a process of its own."""

    def __init__(self, python: Path, **settings: object) -> None:
        script = ROOT / "benchmarks" / "engine_child.py"
        self._process = subprocess.Popen(
            [str(python), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.versions = self.ask(settings)

    def ask(self, question: Record) -> Record:
        """Send a line; return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            give_up("the published code ended with the error above: see the head of this file for what it needs")
        return json.loads(answer)

    def end(self) -> None:
        """Let it end."""
        self._process.communicate()


def shown(record: Record) -> Record:
    """Return the columns that are printed."""
    ours, theirs = record["pixtrim"], record["published"]
    row = {
        "page": record["page"],
        "tokens": ours["tokens"],
        "kept": ours["kept"],
        "published kept": theirs["kept"],
        "first token": ours["full / pruned"],
        "published": theirs["full / pruned"],
        "selector ms": ours["stages"]["selector"],
        "published selector ms": theirs["stages"]["selector"],
        "selector %": 100 * ours["selector share"],
        "published selector %": 100 * theirs["selector share"],
    }
    if "training" in ours:
        row["training"] = ours["training"]["full / pruned"]
        row["published training"] = theirs["training"]["full / pruned"]
    return row


def main() -> None:
    """Measure page by page, both in turn; with --save, write the figures as well."""
    parser = options_of("Time the engine beside the published PixelPrune.", "engine-published", 3)
    parser.add_argument("--pixelprune", type=Path, required=True, metavar="DIR", help="a clone of PixelPrune")
    parser.add_argument("--python", type=Path, required=True, metavar="PATH", help="Python with transformers 4.57")
    options = parser.parse_args()
    sys.argv = [{str(options.pixelprune): "DIR", str(options.python): "PATH"}.get(word, word) for word in sys.argv]
    if not (options.pixelprune / "pixelprune" / "patches" / "qwen3_vl_hf.py").exists():
        give_up(f"{options.pixelprune} holds no PixelPrune: clone github.com/OPPO-Mente-Lab/PixelPrune first")
    if not options.python.exists():
        give_up(f"{options.python} does not exist: give the interpreter of an environment with transformers 4.57")
    chosen = completed(options)
    heading()
    settings = {"size": options.size, "depth": options.depth, "dtype": options.dtype, "device": options.device}
    child = Child(options.python, path=str(options.pixelprune.resolve()), **settings)
    engine = Engine(**settings)
    described = {**about(options, engine.model), "published": child.versions}
    print(", ".join(f"{name} {value}" for name, value in described.items()), end="\n\n")
    found: list[Record] = []
    for page in chosen:
        ours = of_first_token(engine, page, options.rounds)
        if options.steps:
            ours["training"] = of_training(engine, page, options.steps)
        task = {"page": str(page.resolve()), "rounds": options.rounds, "steps": options.steps}
        theirs = child.ask(task)
        found.append({"page": page.relative_to(options.data).as_posix(), "pixtrim": ours, "published": theirs})
        print(f"{len(found)} of {len(chosen)} pages", file=sys.stderr)
        table([shown(found[-1])])
    child.end()
    print("all pages")
    table([shown(record) for record in found])
    if options.save:
        save("engine-published", found, **described)


if __name__ == "__main__":
    main()
