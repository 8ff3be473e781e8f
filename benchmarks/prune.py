"""Count the tokens that each selector keeps, by kind of picture, and in sequences with the picture before as reference.

Run: python benchmarks/prune.py [--save] [--data DIR]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from common import SHARED_DATA, Pixels, Record, arguments, give_up, heading, save, table

from pixtrim.operators.prune import KeepPlan, Origin, TokenPicture, Tolerance
from pixtrim.operators.prune.choose import choose
from pixtrim.pruning import Session, fitted

MODEL = "qwen3-vl"
THRESHOLDS = (0.0, 2.0, 5.1)  # the last two are about .008 and .02 in the units of the paper
FITS = ("resize", "pad")

KINDS = {
    "FUNSD scans": ("documents/funsd/*.png",),
    "PDF pages": ("documents/pdf/*.png",),
    "OmniDocBench (JPEG)": ("documents/omnidoc/**/*.jpg", "documents/omnidoc/**/*.png"),
    "SROIE receipts (JPEG)": ("documents/sroie/**/*.jpg",),
    "web": ("gui_single/web/*.png",),
    "desktop": ("gui_single/desktop/*.png",),
    "Android": ("gui_sequences/android/**/*.png",),
    "Slack": ("gui_sequences/slack_env/*.png",),
    "JupyterLab": ("gui_sequences/jupyterlab/*.png",),
    "WebVoyager": ("gui_sequences/webvoyager/**/*.png",),
    "charts": ("charts/*.png",),
    "Kodak photos": ("photos/kodak/*.png",),
}
SEQUENCES = {
    "Cambridge": "webvoyager/taskCambridge_Dictionary_29",
    "ArXiv": "webvoyager/taskArXiv_11",
    "GitHub": "webvoyager/taskGitHub_0",
    "Google Search": "webvoyager/taskGoogle_Search_3",
    "Slack": "slack_env",
    "Android To Do": "android/com.microsoft.todos",
    "Android Joplin": "android/net.cozic.joplin",
}
WAYS = ("alone", "same place", "shifted", "pred_near", "session")
SELECTORS = ("raster", "serpentine", "pred_2d", "pred_near", "unique")


def natural(path: Path) -> list[tuple[bool, int | str]]:
    """Sort screenshot2 before screenshot10."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", path.name)]


def hidden(plan: KeepPlan, pixels: Pixels) -> float:
    """Return the share of tokens that are dropped, are not of one colour, and are like none of their neighbours.

    A model that sees the kept tokens alone has no means of guessing these.
    """
    tokens = plan.grid.view_tokens(pixels)
    plain = (tokens == tokens[:, :, :1, :1]).all(axis=(2, 3, 4))
    return float(((plan.origins == Origin.ELSEWHERE) & ~plain).mean())


def of_kinds(folder: Path) -> list[Record]:
    """Return a record for each kind, fit and threshold: the mean share of tokens kept by each selector."""
    found = []
    for kind, patterns in KINDS.items():
        paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
        if not paths:
            give_up(f"{folder} has no {kind}: give the folder of the evaluation data with --data")
        for fit in FITS:
            shares: dict[float, dict[str, list[float]]] = {t: {s: [] for s in SELECTORS} for t in THRESHOLDS}
            unseen: dict[str, list[float]] = {"pred_near": [], "unique": []}
            sizes = []
            for path in paths:
                grid, pixels = fitted(path, MODEL, fit)
                sizes.append(grid.tokens)
                for threshold in THRESHOLDS:
                    picture = TokenPicture(pixels, grid.token_shape, Tolerance("max", threshold))
                    for selector in SELECTORS:
                        plan, _ = choose(picture, grid, selector)
                        shares[threshold][selector].append(plan.ratio)
                        if not threshold and selector in unseen:
                            unseen[selector].append(hidden(plan, pixels))
            for threshold, by_selector in shares.items():
                means = {selector: float(np.mean(values)) for selector, values in by_selector.items()}
                more = {f"{s} hidden": float(np.mean(v)) for s, v in unseen.items()} if not threshold else {}
                found.append(
                    {
                        "kind": kind,
                        "pictures": len(paths),
                        "fit": fit,
                        "tokens": round(float(np.mean(sizes))),
                        "threshold": threshold,
                        **means,
                        **more,
                    }
                )
        print(f"{kind}: {len(paths)} pictures", file=sys.stderr)
    return found


def of_sequences(folder: Path) -> list[Record]:
    """Return a record for each sequence and fit: the mean share kept from the second picture on."""
    found = []
    for name, place in SEQUENCES.items():
        paths = sorted((folder / "gui_sequences" / place).glob("*.png"), key=natural)
        for fit in FITS:
            shares: dict[str, list[float]] = {key: [] for key in WAYS}
            everything: list[float] = []
            session = Session(MODEL, fit=fit)
            before: Pixels | None = None
            for path in paths:
                grid, pixels = fitted(path, MODEL, fit)
                plan = session.add_fitted(grid, pixels)
                everything.append(plan.ratio)
                if before is not None:
                    picture = TokenPicture(pixels, grid.token_shape, reference=before)
                    alone, still = choose(picture, grid, "pred_2d", motion=False)
                    _, moved = choose(picture, grid, "pred_2d")
                    _, better = choose(picture, grid, "pred_near")
                    for key, each in zip(WAYS, (alone, still, moved, better, plan), strict=True):
                        shares[key].append(each.ratio)
                before = pixels
            means = {key: float(np.mean(values)) for key, values in shares.items()}
            means["session, first included"] = float(np.mean(everything))
            found.append({"sequence": name, "pictures": len(paths), "fit": fit, **means})
    return found


def main() -> None:
    """Print both tables; with --save, write the figures as well."""
    parser = arguments("Count the tokens that are kept.", "prune")
    parser.add_argument(
        "--data", type=Path, default=SHARED_DATA, metavar="DIR", help="the folder of the evaluation data"
    )
    options = parser.parse_args()
    if not options.data.is_dir():
        give_up(f"the evaluation data are not in {options.data}: give their folder with --data")
    heading()
    kinds = of_kinds(options.data)
    table(kinds, list(kinds[0]))
    sequences = of_sequences(options.data)
    table(sequences)
    if options.save:
        save("prune", kinds, sequences=sequences, model=MODEL)


if __name__ == "__main__":
    main()
