"""What shrink() returns: the reduced picture, its coordinate map, and a report that can be shown, stored and billed."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.coordinates import CoordinateMap
from pixtrim.draw import before_after, faded, heat_map, removed_by, seams_picture, warp_grid
from pixtrim.errors import UsageError
from pixtrim.png import png_of

__all__ = ["Preview", "Report", "Shrunk", "Tokens", "file_of", "write_whole"]

Preview = Literal["sheet", "importance", "faded", "seams", "grid"]

ENCODERS: Final[dict[str, dict[str, Any]]] = {
    "PNG": {},
    "WEBP": {"lossless": True, "quality": 0, "method": 0},
    "JPEG": {"quality": 92, "subsampling": 0},
}
"""What Pillow is told, so that equal pixels are equal bytes; PNG is written by `png_of`. See benchmarks/encode.py."""

LONGEST_SIDE: Final = {"WEBP": 16_383, "JPEG": 65_500}
"""Pixels; what the formats, or the libraries that write them, can hold."""

SUFFIXES: Final = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}


class Tokens(NamedTuple):
    """What a picture costs before and after."""

    before: int
    after: int


@dataclass(frozen=True)
class Report:
    """What was done to a picture; `docs/json.md` describes each field.

    Attributes
    ----------
    input, output : str
        Names of the picture and of the file that was written; `output` is None until then.
    operator : str
        What was done: ``"none"``, ``"resize"``, or the other steps joined by ``+``, as ``"fold"`` or ``"crop+warp"``; a
        resize may have ended them.
    kind : str or None
        What the picture was taken for; None where nobody had to look.
    tokens_before, tokens_after : int
        By the model's rule, whose trust `rule_mark` says: D documentation, S source, M measured, I inferred.
    budget : int or None
        The budget in tokens; None for "fit".
    usd_before, usd_after : float or None
        By the price of `price_date`; None where no price is known.
    text_scale : float
        The smallest scale that text was reduced to; 1.0 is its native size.
    importance : str or None
        The source of importance that was asked; None where none was.
    confidence : float or None
        How sure it was, 0 to 1.
    notes, warnings : list of str
        What was done on loading, and what a user has to know.
    seconds : float
        From the call to the reduced picture, without encoding it.
    """

    SCHEMA: ClassVar[int] = 1

    input: str
    operator: str
    kind: str | None
    model: str
    detail: str | None
    rule_mark: str
    rule_source: str
    original_width: int
    original_height: int
    width: int
    height: int
    tokens_before: int
    tokens_after: int
    budget: int | None
    usd_before: float | None
    usd_after: float | None
    price_date: str | None
    text_scale: float
    notes: list[str]
    warnings: list[str]
    seconds: float
    importance: str | None = None
    confidence: float | None = None
    output: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, with the version of their schema."""
        return {"schema": self.SCHEMA, **asdict(self)}


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A reduced picture.

    Attributes
    ----------
    original, image : ndarray
        uint8 (H, W, 3) and (h, w, 3), RGB: the picture as loaded, and reduced.
    coordinates : CoordinateMap
        Maps points, boxes, polygons and masks between the two.
    report : Report
        What was done, and what it saves.
    importance : ndarray or None
        float32 (H, W) in [0, 1]: where the content of the original is, if a step asked.
    """

    original: NDArray[np.uint8] = field(repr=False)
    image: NDArray[np.uint8] = field(repr=False)
    coordinates: CoordinateMap
    report: Report
    data: bytes | None = field(default=None, repr=False)
    format: str | None = field(default=None, repr=False)
    path: Path | None = field(default=None, repr=False)
    importance: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def tokens(self) -> Tokens:
        """The tokens before and after."""
        return Tokens(self.report.tokens_before, self.report.tokens_after)

    @property
    def unchanged(self) -> bool:
        """Whether the picture is the original."""
        return self.report.operator == "none"

    def encode(self, format: str | None = None) -> bytes:
        """Return the picture as a file.

        Parameters
        ----------
        format : {"png", "webp", "jpeg"}, optional
            PNG by default, and WebP is lossless, too. Where nothing was changed, the input's own bytes are returned,
            unless another format is asked for.

        Raises
        ------
        UsageError
            If the format is not one of these, or the picture is too large for it.
        """
        wanted = None if format is None else format.upper().replace("JPG", "JPEG")
        if wanted is not None and wanted not in ENCODERS:
            raise UsageError(f"format is {format!r}: choose one of {', '.join(ENCODERS).lower()}")
        if self.data is not None and wanted in (None, self.format):
            return self.data
        wanted = wanted or "PNG"
        height, width = self.image.shape[:2]
        if max(width, height) > LONGEST_SIDE.get(wanted, max(width, height)):
            raise UsageError(
                f"the picture of {width}x{height} is too large for {wanted}, "
                f"which ends at {LONGEST_SIDE[wanted]} pixels a side: choose png"
            )
        return file_of(self.image, wanted)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file, whole or not at all; the suffix chooses the format.

        Raises
        ------
        UsageError
            If the suffix is not one of .png, .webp, .jpg and .jpeg, or the file is the input.
        OSError
            If the file cannot be written; what was there before stays.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in SUFFIXES:
            raise UsageError(f"{target.name}: the suffix says the format: choose one of {', '.join(SUFFIXES)}")
        if self.path is not None and target.exists() and self.path.exists() and target.samefile(self.path):
            raise UsageError(f"{target.name} is the input: choose another name, an input is never overwritten")
        write_whole(target, self.encode(SUFFIXES[suffix]))
        return target

    def preview(self, kind: Preview = "sheet") -> Image.Image:
        """Return a picture that shows what was done.

        Parameters
        ----------
        kind : {"sheet", "importance", "faded", "seams", "grid"}
            ``"sheet"``: before, after, and what went. ``"importance"``: a heat map of where the content is, and
            ``"faded"``: the more important half as it is, and the rest grey and pale. ``"seams"``: the seams that were
            taken out, on the original. ``"grid"``: how a grid was bent.

        Raises
        ------
        UsageError
            If the kind is not one of these, or needs what was not done.
        """
        before, after = self.tokens
        if kind not in get_args(Preview):
            raise UsageError(f"the preview is {kind!r}: choose one of {', '.join(get_args(Preview))}")
        if kind in ("importance", "faded"):
            if self.importance is None:
                raise UsageError(
                    f"no importance was asked for ({self.report.operator}): choose --operator warp or carve"
                )
            title = f"{self.report.input}: {self.report.importance}"
            if kind == "importance":
                return heat_map(self.original, self.importance, title=title)
            return faded(self.original, self.importance, share=0.5, title=title)
        if kind == "seams":
            order, direction = removed_by(self.coordinates)
            if not order.any():
                raise UsageError(f"no seams were taken out ({self.report.operator}): carve it")
            return seams_picture(self.original, order, direction, title=self.report.input)
        draw = before_after if kind == "sheet" else warp_grid
        return draw(
            self.original,
            self.image,
            self.coordinates,
            title_before=f"before: {before} tokens",
            title_after=f"after: {after} tokens ({self.report.operator})",
        )


def file_of(pixels: NDArray[np.uint8], format: str) -> bytes:
    """Encode pixels, uint8 (H, W, 3), as a file of a format of `ENCODERS`; equal pixels are equal bytes."""
    if format == "PNG":
        return png_of(pixels)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **ENCODERS[format])
    return stream.getvalue()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file through a temporary one beside it, so that nobody ever sees a half of it.

    Raises
    ------
    OSError
        If it cannot be written; the temporary file is gone then, and an older file still there.
    """
    half = path.with_name(f".{path.name[:40]}.{os.getpid()}.{id(data):x}.tmp")
    try:
        with half.open("xb") as stream:  # open, not mkstemp: the file gets the user's usual permissions
            stream.write(data)
        os.replace(half, path)
    except BaseException:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise
