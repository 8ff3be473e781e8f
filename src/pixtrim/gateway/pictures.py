"""One image of a request, made smaller: from base64 to a file, or the reason why it is left as it is."""

from __future__ import annotations

import binascii
import hashlib
import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim import __version__
from pixtrim.errors import PixtrimError
from pixtrim.gateway.settings import LOSSLESS_FIRST, Settings
from pixtrim.image import Loaded, load
from pixtrim.operators.resize import resize
from pixtrim.pipeline import shrink
from pixtrim.result import Shrunk, file_of
from pixtrim.tokens import Rule
from pixtrim.tokens.budget import BudgetError

__all__ = ["NO_MEMORY", "Job", "Outcome", "decoded", "encoded", "lossless_first", "reduced"]

Pixels = NDArray[np.uint8]

MEDIA: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
STARTS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM", b"II", b"MM")
"""How the files begin that are worth a look; `load` takes PDFs, too, which no image block can hold."""
LOSSY_WEBP: Final = b"VP8 "

NO_MEMORY: Final = "not enough memory"
"""The one outcome that may be another one next time."""

TRANSPARENT: Final = "alpha composited on white"
"""What `load` notes; there a model may see another ground than ours."""


@dataclass(frozen=True)
class Job:
    """An image and what is to be made of it.

    Attributes
    ----------
    text : str
        The image in base64, of either alphabet.
    rule : Rule
        The model's.
    detail : str or None
        A level of detail that the rule knows; None for its default.
    settings : pixtrim.gateway.Settings
        Those that hold for this image.
    images : int
        Images in the request: with many of them, some providers refuse large ones.
    scaled : (int, int) or None
        Width and height that the image is to have, and nothing else is to be done to it.
    """

    text: str = field(repr=False)
    rule: Rule
    detail: str | None
    settings: Settings
    images: int = 1
    scaled: tuple[int, int] | None = None

    @property
    def crowded(self) -> bool:
        """Whether the request has so many images that the limit on their sides is another one."""
        limit = self.rule.limits.many_images
        return limit is not None and self.images > limit

    def refusals(self, width: int, height: int, size: int = 0) -> int:
        """Return how many of the provider's limits this image would break, were it of another size, or file.

        That there are too many images is the fault of none: it would make of each another one than in earlier turns.
        """
        most = self.rule.limits.max_images
        images = self.images if most is None else min(self.images, most)
        return len(self.rule.check(width, height, self.detail, size=size, images=images))

    @property
    def key(self) -> str:
        """What the outcome depends on, as SHA-256 in hexadecimal digits."""
        settings = (
            self.settings.budget,
            self.settings.operator,
            self.settings.minimum_saving,
            self.settings.max_pixels,
        )
        rest = (__version__, self.rule, dict(self.rule.levels), self.detail, settings, self.crowded, self.scaled)
        found = hashlib.sha256(repr(rest).encode())
        found.update(self.text.encode("ascii", "replace"))
        return found.hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What became of an image.

    Attributes
    ----------
    data : bytes or None
        The smaller image as a file; None where the original goes through.
    media_type : str or None
        Of `data`.
    reason : str
        ``"changed"``, or why it was not.
    operator : str
        As in a `Report`; ``"none"`` where nothing was done.
    tokens : (int, int) or None
        Estimated, before and after; None where the image could not be read.
    size : (int, int, int, int) or None
        Width and height before, width and height after.
    bytes : (int, int)
        Of the files, before and after.
    """

    data: bytes | None = field(repr=False)
    media_type: str | None
    reason: str
    operator: str = "none"
    tokens: tuple[int, int] | None = None
    size: tuple[int, int, int, int] | None = None
    bytes: tuple[int, int] = (0, 0)


def decoded(text: str) -> bytes:
    """Decode base64 of either alphabet, with or without padding and white space.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> decoded("aGk_"), decoded("aGk/"), decoded("aGk")
    (b'hi?', b'hi?', b'hi')
    """
    if "-" in text or "_" in text:
        text = text.translate(str.maketrans("-_", "+/"))
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        bare = "".join(text.split()).rstrip("=")
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)


def encoded(data: bytes, like: str) -> str:
    """Encode as base64, in the alphabet of another one, and without padding, where that shows in it.

    Examples
    --------
    >>> encoded(b"hi?", ""), encoded(b"hi?", "aGk_"), encoded(b"hi", "aG8")
    ('aGk/', 'aGk_', 'aGk')
    """
    text = binascii.b2a_base64(data, newline=False).decode()
    if "-" in like or "_" in like:
        text = text.translate(str.maketrans("+/", "-_"))
    return text.rstrip("=") if len(like) % 4 and len("".join(like.split())) % 4 else text


def reduced(job: Job) -> Outcome:
    """Make an image smaller; what goes wrong is told as the reason why it is left as it is.

    Examples
    --------
    >>> from pixtrim.tokens import resolve
    >>> reduced(Job("!", resolve("gpt-5.5"), None, Settings())).reason
    'not base64'
    """
    try:
        data = decoded(job.text)
    except ValueError:
        return Outcome(None, None, "not base64")
    size = len(data)

    def left(reason: str) -> Outcome:
        return Outcome(None, None, reason, bytes=(size, size))

    if not data.startswith(STARTS):
        return left("not an image")
    try:
        return _reduced(job, load(data, max_pixels=job.settings.max_pixels, name="image"), data)
    except PixtrimError as error:
        return left(str(error))
    except MemoryError:
        return left(NO_MEMORY)
    except Exception as error:  # a fault of ours, or of a codec's, must not cost the request
        return left(f"a fault of pixtrim: {type(error).__name__}")


def _reduced(job: Job, loaded: Loaded, data: bytes) -> Outcome:
    rule = job.rule
    height, width = loaded.pixels.shape[:2]
    before = rule.count(width, height, job.detail)

    def left(reason: str) -> Outcome:
        same = (before, before)
        return Outcome(None, None, reason, "none", same, (width, height, width, height), (len(data), len(data)))

    refused = job.refusals(width, height, len(data))
    if TRANSPARENT in loaded.notes and not refused:
        return left("transparent")
    image, operator = _made(job, loaded.pixels)
    if operator == "none" and not refused:
        return left("nothing to save" if rule.saves_by_pixels(job.detail) else "billed alike at any size")
    file, media_type = _file(image, loaded, job)
    size = (width, height, image.shape[1], image.shape[0])
    after = rule.count(size[2], size[3], job.detail)
    share = 1 - job.settings.minimum_saving
    worth = after < before * share or (after <= before and len(file) <= len(data) * share)
    mended = job.refusals(size[2], size[3], len(file)) < refused
    if not (worth or mended or job.scaled):
        return left("refused by the provider in any size" if refused else "too little to save")
    return Outcome(file, media_type, "changed", operator, (before, after), size, (len(data), len(file)))


def _made(job: Job, pixels: Pixels) -> tuple[Pixels, str]:
    """Return the reduced image, and the name of what was done to it."""
    if job.scaled is not None:
        return resize(pixels, job.scaled), "resize"
    within = _within_limits(pixels, job)
    try:
        found = _shrunk(job, within, job.settings.budget)
    except BudgetError:  # less than any size costs: no reason to send what the model does not see
        found = _shrunk(job, within, "fit")
    if found.unchanged and within is not pixels:
        return within, "resize"
    return found.image, found.report.operator


def _shrunk(job: Job, pixels: Pixels, budget: int | float | str) -> Shrunk:
    name, operator = job.rule.name, job.settings.operator
    if operator == LOSSLESS_FIRST:
        return lossless_first(pixels, name, budget, job.detail)
    return shrink(pixels, name, budget, operator, detail=job.detail, max_pixels=pixels.size)


def lossless_first(pixels: Pixels, model: str, budget: int | float | str, detail: str | None) -> Shrunk:
    """Do what `Settings.operator` is by default to pixels, with the arguments of `pixtrim.shrink`."""
    found = shrink(pixels, model, budget, "fold", detail=detail, max_pixels=pixels.size)
    if found.report.kind == "photo" and found.report.operator == "fold":  # what repeats in a photo is a part of it
        return shrink(pixels, model, budget, "resize", detail=detail, max_pixels=pixels.size)
    return found


def _within_limits(pixels: Pixels, job: Job) -> Pixels:
    """Scale an image of which the provider would refuse the sides, or the patches."""
    limits, formula = job.rule.limits, job.rule.formula(job.detail)
    sides = [limits.max_side, limits.many_images_side if job.crowded else None]
    longest = min((side for side in sides if side is not None), default=None)
    height, width = pixels.shape[:2]
    scale = min(1.0, longest / max(width, height)) if longest is not None else 1.0
    size = _scaled(width, height, scale)
    while limits.max_patches is not None and (cells := formula.cells(*size)) > limits.max_patches and max(size) > 1:
        scale *= min(0.99, math.sqrt(limits.max_patches / cells))
        size = _scaled(width, height, scale)
    return pixels if size == (width, height) else resize(pixels, size)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


def _file(image: Pixels, loaded: Loaded, job: Job) -> tuple[bytes, str]:
    """Encode in the input's own format, or as a JPEG where that is too large for the provider."""
    lossy = loaded.format == "JPEG" or (loaded.format == "WEBP" and loaded.data[12:16] == LOSSY_WEBP)  # type: ignore[index]
    name = "JPEG" if lossy else "WEBP" if loaded.format == "WEBP" else "PNG"
    file = file_of(image, name)
    height, width = image.shape[:2]
    if name != "JPEG" and job.refusals(width, height, len(file)) > job.refusals(width, height):
        name = "JPEG"
        file = file_of(image, name)
    return file, MEDIA[name]
