"""Time `import pixtrim` in fresh processes, beside the import of what it needs.

Run: python benchmarks/imports.py [--save]

The time is taken inside the process, so that starting Python does not count. pixtrim loads its modules when they
are first used: `from pixtrim import shrink` loads all that the main job needs, NumPy and Pillow among it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from common import Record, arguments, heading, save, table

PROCESSES = 21
STATEMENTS = {
    "NumPy and Pillow": "import numpy, PIL.Image",
    "pixtrim": "import pixtrim",
    "pixtrim.shrink": "from pixtrim import shrink",
    "pixtrim.cli": "import pixtrim.cli",
}
SCRIPT = """
import sys, time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start, len(sys.modules))
"""


def once(statement: str) -> tuple[float, int]:
    """Run a statement in a fresh process; return its seconds, and the number of modules after it."""
    command = [sys.executable, "-c", SCRIPT.format(statement=statement)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


def measure() -> list[Record]:
    """Time the imports in turn."""
    runs = [{name: once(statement) for name, statement in STATEMENTS.items()} for _ in range(PROCESSES + 1)]
    figures: list[Record] = []
    for name in STATEMENTS:
        taken = [run[name][0] * 1000 for run in runs[1:]]
        figures.append({"import": name, "ms": statistics.median(taken), "modules": runs[0][name][1]})
    return [{**one, "ratio": one["ms"] / figures[0]["ms"]} for one in figures]


def main() -> None:
    """Print a table; with --save, write the figures as well."""
    options = arguments("Time `import pixtrim` in fresh processes.", "imports").parse_args()
    heading()
    figures = measure()
    table(figures)
    if options.save:
        save("imports", figures, processes=PROCESSES)


if __name__ == "__main__":
    main()
