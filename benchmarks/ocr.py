"""What Tesseract reads, and how much of a text that is."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

from common import Pixels, give_up
from PIL import Image

CACHE = Path(__file__).parent / ".cache" / "tesseract"
COMMAND = ["tesseract", "stdin", "stdout", "--psm", "3"]
INSTALL = (
    "needs the program tesseract, version 5: apt install tesseract-ocr (Debian, Ubuntu), dnf install tesseract "
    "(Fedora), brew install tesseract (macOS)"
)
SHORTEST = 3

Words = Counter[str]


def words(text: str) -> Words:
    """Return the case-folded alphanumeric words of three letters or more, as a multiset.

    >>> words("The 12 cats, the CAT-flap: x86")
    Counter({'the': 2, 'cats': 1, 'cat': 1, 'flap': 1, 'x86': 1})
    """
    return Counter(word for word in re.findall("[a-z0-9]+", text.lower()) if len(word) >= SHORTEST)


def recall(read: Words, truth: Words) -> float:
    """Return the share of the words of the truth that were read.

    >>> recall(Counter(a=1, b=3), Counter(a=2, b=2))
    0.75
    """
    return (read & truth).total() / truth.total()


@cache
def tesseract_version() -> str:
    """Return the version of the program; end with a line on how to install it where it is absent."""
    try:
        about = subprocess.run(["tesseract", "--version"], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        give_up(INSTALL)
    found = about.stdout.split()[1]
    if not found.lstrip("v").startswith("5."):
        give_up(f"found tesseract {found}, but {INSTALL}")
    return found


def read(pixels: Pixels) -> Words:
    """Return the words that Tesseract reads in a picture.

    What it read before is kept by the content of the picture.
    """
    asked = f"{tesseract_version()} {COMMAND} {pixels.shape}".encode()
    kept = CACHE / f"{hashlib.sha256(asked + pixels.tobytes()).hexdigest()}.txt"
    if not kept.exists():
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        done = subprocess.run(COMMAND, input=stream.getvalue(), check=True, capture_output=True, env=environment)
        CACHE.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(f".{os.getpid()}.tmp")
        half.write_bytes(done.stdout)
        half.replace(kept)
    return words(kept.read_text(encoding="utf-8"))
