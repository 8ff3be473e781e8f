"""Feed mutated command lines to the parser and insist that each is parsed, or refused in one line.

    python tests/fuzz/fuzz_cli.py --runs 100000 --seed 0

Command line number `i` depends on the seed and `i` alone. Nothing is run that is parsed. `make_bytes` and `parse_bytes`
have the form of a target of fuzz_loader.py, with its processes and limits.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from pixtrim.cli.arguments import build, parse
from pixtrim.cli.show import json_line, one_line
from pixtrim.errors import PixtrimError, UsageError
from pixtrim.tokens import resolve

SEEDS = (
    "shrink a.png --model claude-opus-4-7 --budget 800",
    "shrink shots/ --model gpt-5.5 --budget 50% -o out/ --workers 2 --threads 1 --json --preview p --map m",
    "shrink statement.pdf#page=3 --dpi 200 -m gemini-2.5-flash -o page3.png --protect 0,0,10,10 --format png -q -r",
    "tokens --model gpt-4o --model qwen3-vl --size 1920x1080 8×6 --detail low --json",
    "tokens -m claude-sonnet-4-5 a.png *.jpg - --prices p.toml --max-megapixels 3",
    "prune a.png --model qwen3-vl -t 2.5 --metric mae --selector pred_near --sliding --fit pad --preview p.png",
    "prune shots/ --sequence --key-every 20 --refresh 0.8 -o plans --json --indices --threshold-unit 0.01 --workers 2",
    "prune b.png --reference a.png --selector conncomp --skip-ratio 0.5 --seed 3 --max-megapixels 9 --overwrite -q",
    "evaluate data/ hf:a/b:test -m qwen3-vl -b 25% 0.5 800 --metric ssim --limit 5 --quick --cache c --html r.html",
    "evaluate funsd:forms --model gpt-5.5 --operator fold --kind photo --no-cache --json --plugin mine.py --pairs 9",
    "models --provider OpenAI --json",
    "inspect a.png --model gpt-5.5 -b fit --debug",
    "--version",
    "shrink --help",
)

NASTY = (
    *("", "-", "--", "---", "=", "--=", "-m", "-o", "--model=", "--budget=-1", "@file", "%s", "%(prog)s", "{}", "%"),
    *("nan", "inf", "-0", "1e999", "0x10", "٣x٣", "9" * 5000, "1" * 4300 + "x1", "0,0,0,0", "1,1,2", "100.000%", "0.0"),
    *("\n", "\r\n", "\x1b[2J", "\x00", "\udcff", "\u202e", "\ufeff", "a" * 100_000, "../" * 500, "[" * 200, "**/*"),
    *("x#page=0", "x#page=", "#page=1", "x#page=" + "9" * 30, "claude-opus-4-7" * 20, "gpt-5.5\n", "auto", "fit "),
)


def make_words(rng: Random) -> list[str]:
    words = rng.choice(SEEDS).split(" ")
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        place = rng.randrange(len(words) + 1)
        match rng.randrange(7):
            case 0:
                words.insert(place, rng.choice(NASTY))
            case 1:
                words[place : place + 1] = [rng.choice(NASTY)]
            case 2:
                del words[place : place + 1]
            case 3:
                words[place:place] = rng.choice(SEEDS).split(" ")
            case 4 if place < len(words):
                words[place] = garbled(rng, words[place])
            case 5:
                rng.shuffle(words)
            case _ if words:
                words.insert(place, rng.choice(words))
    return words[:200]


def garbled(rng: Random, word: str) -> str:
    at = rng.randrange(len(word) + 1)
    piece = rng.choice((chr(rng.randrange(0x250)), rng.choice(NASTY)[:30], word[:at] * 2, str(rng.randrange(10**12))))
    return word[:at] + piece + word[at + rng.randrange(2) :]


def parse_words(words: list[str]) -> str:
    """Parse a command line; answer with a word for the statistics, or raise where that went wrong."""
    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output):
            arguments = parse(words)
            for model in [arguments.model] if isinstance(getattr(arguments, "model", None), str) else []:
                resolve(model)
            json_line({"input": str(getattr(arguments, "inputs", "")), "run": arguments.command})
        json.loads(output.getvalue())
    except SystemExit as stop:
        if stop.code not in (0, 2):
            raise AssertionError(f"exit code {stop.code}") from stop
        return "helped"
    except PixtrimError as error:
        if not isinstance(error, UsageError):
            raise AssertionError(f"parsing must end in a UsageError, not {type(error).__name__}") from error
        if not one_line(str(error)).isprintable():
            raise AssertionError("more than one printable line") from error
        return "refused"
    if not callable(arguments.run):
        raise AssertionError("nothing to run")
    return "parsed"


def make_bytes(rng: Random) -> bytes:
    return json.dumps(make_words(rng)).encode("ascii")


def parse_bytes(data: bytes) -> str:
    return parse_words(json.loads(data))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    build()
    counts: Counter[str] = Counter()
    for index in range(options.runs):
        words = make_words(Random(f"{options.seed}/{index}"))
        try:
            counts[parse_words(words)] += 1
        except Exception as error:
            counts["FAILED"] += 1
            print(
                f"input {index}: {type(error).__name__}: {ascii(str(error))[:300]}\n  {ascii(words)[:600]}", flush=True
            )
    print(f"{options.runs} runs: " + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
