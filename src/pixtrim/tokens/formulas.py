"""The arithmetic by which vision models turn a picture's size into tokens: one small class per kind of formula.

A formula knows numbers only, no model's name; the catalogue says which model uses which formula with which
numbers. Sizes are whole pixels, width first; tokens are whole numbers.

A picture is *native* to a formula where the model neither scales it down nor enlarges it. Among native sizes the
count of every formula with ``monotone = True`` never falls when a side grows; outside of them rounding may make
it jump by a cell either way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, floor, isqrt, sqrt
from typing import ClassVar, Literal

__all__ = [
    "FORMULAS",
    "CanvasTiles",
    "CappedTiles",
    "CropTiles",
    "Flat",
    "Formula",
    "PaddedGrid",
    "PatchBudget",
    "PixelTable",
    "RowGrid",
    "ScaledTiles",
    "SmartResize",
    "TokenBudget",
]

Size = tuple[int, int]


def _fit(width: int, height: int, side: int) -> Size:
    """Scale a size so that its longer side is at most `side`, rounding half to even."""
    longest = max(width, height)
    if longest <= side:
        return width, height
    scale = side / longest
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cells(width: int, height: int, step: int) -> int:
    """Count the cells of a grid of `step` pixels that a size touches."""
    return -(-width // step) * -(-height // step)


@dataclass(frozen=True, slots=True)
class Formula(ABC):
    """What every formula answers. Sizes are in pixels, each side an integer of at least 1."""

    flat: ClassVar[bool] = False
    """The count does not depend on the number of pixels: a smaller picture of the same shape costs the same."""
    monotone: ClassVar[bool] = True
    """Among native sizes, a picture that is no smaller on either side never costs less."""

    @abstractmethod
    def count(self, width: int, height: int) -> int:
        """Return the tokens that a picture of this size costs."""

    def seen(self, width: int, height: int) -> Size:
        """Return the size at which the model looks at the picture, before any padding."""
        return width, height

    @property
    def cell(self) -> int:
        """Step of the grid in pixels; 1 where the count is not taken on a grid."""
        return 1

    def scales_down(self, width: int, height: int) -> bool:
        """Whether the model would shrink the picture, by more than rounding it to the grid."""
        seen_width, seen_height = self.seen(width, height)
        return seen_width < width or seen_height < height

    def enlarges(self, width: int, height: int) -> bool:
        """Whether the model would blow the picture up because it is too small."""
        return False

    def snap(self, side: int) -> int:
        """Return where the cell ends in which a side of `side` pixels stops: pixels up to there are free."""
        return -(-side // self.cell) * self.cell

    def cells(self, width: int, height: int) -> int:
        """Return how many cells of the grid the picture fills after the model's own scaling."""
        return _cells(*self.seen(width, height), self.cell)


@dataclass(frozen=True, slots=True)
class Flat(Formula):
    """The same number of tokens for every picture, which is fitted inside `max_side` where that is known."""

    flat: ClassVar[bool] = True

    tokens: int
    max_side: int | None = None

    def count(self, width: int, height: int) -> int:
        return self.tokens

    def seen(self, width: int, height: int) -> Size:
        return (width, height) if self.max_side is None else _fit(width, height, self.max_side)


@dataclass(frozen=True, slots=True)
class PatchBudget(Formula):
    """Square patches, a limit on the longer side, often a limit on the patches, and a price per patch."""

    max_side: int
    multiplier: float
    patch: int = 32
    max_patches: int | None = None

    @property
    def cell(self) -> int:
        return self.patch

    def count(self, width: int, height: int) -> int:
        # In thousandths, because a product such as 1.2 * 5 must not round up to the next token.
        return -(-self.cells(width, height) * round(1000 * self.multiplier) // 1000)

    def seen(self, width: int, height: int) -> Size:
        width, height = _fit(width, height, self.max_side)
        if self.max_patches is None or _cells(width, height, self.patch) <= self.max_patches:
            return width, height
        scale = sqrt(self.patch**2 * self.max_patches / (width * height))
        across, down = width * scale / self.patch, height * scale / self.patch
        # The second factor brings both sides to the patch below, so that the patches stay within the limit.
        scale *= min(floor(across) / across, floor(down) / down)
        return max(1, floor(width * scale)), max(1, floor(height * scale))


@dataclass(frozen=True, slots=True)
class ScaledTiles(Formula):
    """Fit inside a square, bring the short side to at most `short_side`, then pay a base and a price per tile."""

    base: int
    per_tile: int
    max_side: int = 2048
    short_side: int = 768
    tile: int = 512

    @property
    def cell(self) -> int:
        return self.tile

    def count(self, width: int, height: int) -> int:
        return self.base + self.per_tile * self.cells(width, height)

    def seen(self, width: int, height: int) -> Size:
        width, height = _fit(width, height, self.max_side)
        short = min(width, height)
        if short <= self.short_side:
            return width, height
        return width * self.short_side // short, height * self.short_side // short


@dataclass(frozen=True, slots=True)
class PaddedGrid(Formula):
    """Pad to whole patches; scale down to the largest size whose padded sides and patches are within the limits."""

    max_side: int
    max_tokens: int
    patch: int = 28

    @property
    def cell(self) -> int:
        return self.patch

    def count(self, width: int, height: int) -> int:
        return self.cells(width, height)

    def _fits(self, width: int, height: int) -> bool:
        across, down = -(-width // self.patch), -(-height // self.patch)
        return max(across, down) * self.patch <= self.max_side and across * down <= self.max_tokens

    def seen(self, width: int, height: int) -> Size:
        if self._fits(width, height):
            return width, height
        long = max(width, height)
        aspect = long / min(width, height)

        def short(long: int) -> int:
            return max(int(long / aspect + 0.5), 1)  # half up: the documented 2000x1500 -> 1269x952 needs it

        fits, over = 1, min(long, self.max_side + 1)
        while over - fits > 1:
            middle = (fits + over) // 2
            if self._fits(middle, short(middle)):
                fits = middle
            else:
                over = middle
        return (fits, short(fits)) if width >= height else (short(fits), fits)


@dataclass(frozen=True, slots=True)
class CropTiles(Formula):
    """One tile for a small picture; above it, square crops whose side follows the picture's short side."""

    monotone: ClassVar[bool] = False

    per_tile: int
    small_side: int = 384
    tile: int = 768

    def _crop(self, width: int, height: int) -> int:
        return max(1, 2 * min(width, height) // 3)

    def count(self, width: int, height: int) -> int:
        if max(width, height) <= self.small_side:
            return self.per_tile
        return self.per_tile * _cells(width, height, self._crop(width, height))

    def seen(self, width: int, height: int) -> Size:
        crop = self._crop(width, height)
        if crop <= self.tile:
            return width, height
        return max(1, width * self.tile // crop), max(1, height * self.tile // crop)


@dataclass(frozen=True, slots=True)
class TokenBudget(Formula):
    """A fixed number of tokens laid out in the picture's shape: the aspect ratio counts, the pixels do not."""

    flat: ClassVar[bool] = True
    monotone: ClassVar[bool] = False

    budget: int

    def count(self, width: int, height: int) -> int:
        across = max(1, isqrt(self.budget * width // height))
        down = max(1, isqrt(self.budget * height // width))
        return across * down


@dataclass(frozen=True, slots=True)
class SmartResize(Formula):
    """Round each side to the factor, and keep the area between two limits; `markers` frame the picture's tokens.

    `small` says what is done first to a picture with a side below the factor. None: nothing, the lower limit is enough.
    ``"truncate"``: both sides are scaled until the shorter one is the factor, and cut to whole pixels. ``"round"``: a
    height below the factor becomes the factor and the width follows, rounded; then a width below it likewise.
    """

    factor: int
    min_pixels: int
    max_pixels: int
    markers: int = 0
    small: Literal["truncate", "round"] | None = None

    @property
    def cell(self) -> int:
        return self.factor

    def count(self, width: int, height: int) -> int:
        return self.cells(width, height) + self.markers

    def _lifted(self, width: int, height: int) -> Size:
        """Apply the rule `small`."""
        factor = self.factor
        if self.small == "truncate" and min(width, height) < factor:
            scale = max(factor / height, factor / width)
            return int(width * scale), int(height * scale)
        if self.small == "round" and height < factor:
            width, height = round(width * factor / height), factor
        if self.small == "round" and width < factor:
            width, height = factor, round(height * factor / width)
        return width, height

    def _area(self, width: int, height: int) -> int:
        """Return the area of a size rounded to the grid, by which the limits are judged."""
        return round(width / self.factor) * round(height / self.factor) * self.factor**2

    def seen(self, width: int, height: int) -> Size:
        factor = self.factor
        width, height = self._lifted(width, height)
        area = self._area(width, height)
        if area > self.max_pixels:
            scale = sqrt(width * height / self.max_pixels)
            return (
                max(factor, floor(width / scale / factor) * factor),
                max(factor, floor(height / scale / factor) * factor),
            )
        if area < self.min_pixels:
            scale = sqrt(self.min_pixels / (width * height))
            return ceil(width * scale / factor) * factor, ceil(height * scale / factor) * factor
        return round(width / factor) * factor, round(height / factor) * factor

    def scales_down(self, width: int, height: int) -> bool:
        return self._area(*self._lifted(width, height)) > self.max_pixels

    def enlarges(self, width: int, height: int) -> bool:
        lifted = self._lifted(width, height)
        return lifted != (width, height) or self._area(*lifted) < self.min_pixels

    def snap(self, side: int) -> int:
        # This grid rounds instead of padding: past the nearest line the model would only shrink the picture again.
        return max(1, round(side / self.factor)) * self.factor


@dataclass(frozen=True, slots=True)
class RowGrid(Formula):
    """Fit inside a square, pad to whole patches, and pay one more token at the end of each row."""

    max_side: int
    patch: int

    @property
    def cell(self) -> int:
        return self.patch

    def count(self, width: int, height: int) -> int:
        width, height = self.seen(width, height)
        return (-(-width // self.patch) + 1) * -(-height // self.patch)

    def seen(self, width: int, height: int) -> Size:
        ratio = max(width, height) / self.max_side
        if ratio <= 1:
            return width, height
        return max(1, round(width / ratio)), max(1, round(height / ratio))


@dataclass(frozen=True, slots=True)
class CanvasTiles(Formula):
    """Pad to the best canvas of at most `max_tiles` tiles; beyond one, add a thumbnail and a separator per tile."""

    per_tile: int
    tile: int
    max_tiles: int

    @property
    def cell(self) -> int:
        return self.tile

    def _canvas(self, width: int, height: int) -> Size:
        """Return the canvas in tiles: the tightest that holds the picture, else the one that shrinks it least."""
        across, down = -(-width // self.tile), -(-height // self.tile)
        if across * down <= self.max_tiles:
            return across, down
        canvases = [(n, m) for n in range(1, self.max_tiles + 1) for m in range(1, self.max_tiles // n + 1)]
        return max(canvases, key=lambda canvas: (min(canvas[0] / width, canvas[1] / height), -canvas[0] * canvas[1]))

    def count(self, width: int, height: int) -> int:
        across, down = self._canvas(width, height)
        tiles = across * down
        return self.per_tile if tiles == 1 else tiles * (self.per_tile + 1) + self.per_tile

    def seen(self, width: int, height: int) -> Size:
        across, down = self._canvas(width, height)
        # A small picture is enlarged to one tile at most, a large one is only ever shrunk into its canvas.
        room_across = min(max(width, self.tile), across * self.tile)
        room_down = min(max(height, self.tile), down * self.tile)
        if room_across * height < room_down * width:
            return room_across, max(1, min(height * room_across // width, room_down))
        return max(1, min(width * room_down // height, room_across)), room_down

    def enlarges(self, width: int, height: int) -> bool:
        return max(width, height) < self.tile


@dataclass(frozen=True, slots=True)
class CappedTiles(Formula):
    """A price per tile, one tile extra for the whole picture, and an upper limit on the tiles."""

    per_tile: int
    tile: int
    max_tiles: int

    @property
    def cell(self) -> int:
        return self.tile

    def count(self, width: int, height: int) -> int:
        return (min(self.cells(width, height), self.max_tiles) + 1) * self.per_tile


@dataclass(frozen=True, slots=True)
class PixelTable(Formula):
    """Straight lines through documented (pixels, tokens) points, rounded up.

    Below the first point the count stays at its tokens, so that no saving is claimed that nobody documented; above
    the last point the last line goes on.
    """

    points: tuple[tuple[int, int], ...]

    def count(self, width: int, height: int) -> int:
        pixels = max(width * height, self.points[0][0])
        lines = zip(self.points, self.points[1:], strict=False)
        (x0, y0), (x1, y1) = [line for line in lines if line[0][0] <= pixels][-1]
        return y0 - (y1 - y0) * (x0 - pixels) // (x1 - x0)  # floor of the negative rounds up


FORMULAS: dict[str, type[Formula]] = {
    "canvas_tiles": CanvasTiles,
    "capped_tiles": CappedTiles,
    "crop_tiles": CropTiles,
    "flat": Flat,
    "padded_grid": PaddedGrid,
    "patch_budget": PatchBudget,
    "pixel_table": PixelTable,
    "row_grid": RowGrid,
    "scaled_tiles": ScaledTiles,
    "smart_resize": SmartResize,
    "token_budget": TokenBudget,
}
"""The formulas by the names that the catalogue uses."""
