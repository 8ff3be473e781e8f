"""What is left of the parts of a screen: whether they can be seen, read and clicked on.

The truth is a list of boxes (`Truth.elements`). Boxes count where there is something to see: they are at least 4 pixels
wide and high, cover at most a quarter of the picture, being parts of a screen and not its panels, and are not blank.
Screens with fewer than three such boxes have no score.

The reduced picture is first brought back to the coordinates of its original by its own map (`restore`), and compared
there box by box. So a picture that is right under a map that is wrong counts as wrong, as it is for an agent that
clicks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pixtrim.evaluation.judges.ocr import ENGINES, Pixels, Word
from pixtrim.evaluation.measures import Measure, register
from pixtrim.evaluation.measures.text import SURE, OfEngine, words
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.restore import restore
from pixtrim.evaluation.samples import Box, Sample

__all__ = ["ClickAccuracy", "ElementRecall", "ElementText", "correlation", "detail"]

Floats = NDArray[np.float32]
Edges = list[int]  # x0, y0, x1, y1 in pixels of the original: a JSON value

FEWEST: Final = 3  # elements that a screen needs for a score
SMALLEST: Final = 4  # pixels that an element is wide and high
LARGEST: Final = 0.25  # of the area of the picture
BLANK: Final = 2.0  # levels, root mean square, of detail that counts as nothing to see

FINE: Final = 3  # pixels, the radius of detail that has to be there to recognise an element: strokes of letters
SAME: Final = 0.4  # correlation of fine detail from which it is there

COARSE: Final = 12  # pixels, the radius of detail that shows where an element is
THERE: Final = 0.3  # correlation of coarse detail from which a place shows an element at all
NO_BETTER: Final = 0.02  # by which another place may correlate better
AROUND: Final = 8  # pixels of surroundings, and how far around a place is searched for a better one
WINDOW: Final = 112  # pixels of the longest side that is compared there

MARGIN: Final = 4  # pixels by which engines place words outside of an element


def detail(pixels: Pixels, radius: int) -> Floats:
    """Return what stands out from its surroundings: a picture less its mean over squares.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3).
    radius : int
        Of the squares, in pixels: 3 for squares of 7 x 7.

    Returns
    -------
    ndarray
        float32 (H, W, 3), in levels, -255 to 255.
    """
    blurred = Image.fromarray(pixels).filter(ImageFilter.BoxBlur(radius))
    difference: Floats = pixels.astype(np.float32) - np.asarray(blurred, np.float32)
    return difference


def correlation(one: Floats, other: Floats) -> float:
    """Return the normalised cross-correlation of two pieces of equal shape (..., 3), -1 to 1; 0 where one is flat.

    >>> stripes = np.tile(np.float32([0, 9]), 6).reshape(2, 2, 3)
    >>> round(correlation(stripes, stripes / 2 + 7), 3), correlation(stripes, np.ones_like(stripes))
    (1.0, 0.0)
    """
    a, b = (piece.reshape(-1, piece.shape[-1]) - piece.mean(axis=(0, 1)) for piece in (one, other))
    energy = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / energy if energy > 0 else 0.0


class _ScreenMeasure(Measure):
    """What the measures of elements have in common."""

    def applies(self, sample: Sample) -> bool:
        return len(sample.truth.elements or ()) >= FEWEST


@register
class ElementRecall(_ScreenMeasure):
    """The share of the elements that can still be told for what they are.

    An element counts if its fine detail, what stands out from squares of 7 x 7 pixels, correlates by 0.4 or more with
    that of the original, at the original's resolution: as a whole, and without its rim, a quarter of its short side,
    unless there is nothing inside. Fine detail holds the strokes of letters and icons. The plain pixels of a button
    correlate long after its label is gone, by its ground, and its detail as a whole by its outline. No engine
    is needed here, and icons are taken as well as text.
    """

    name = "element-recall"
    question = "Can the parts of the screen still be recognised?"

    def prepare(self, sample: Sample) -> list[Edges]:
        """Return the boxes that count."""
        original = detail(sample.pixels, FINE)
        return [box for box in _boxes(sample) if not _is_blank(_cut(original, box))]

    def score(self, sample: Sample, reduced: Reduced, prepared: list[Edges]) -> float | None:
        if len(prepared) < FEWEST:
            return None
        original = detail(sample.pixels, FINE)
        restored = detail(_restored(reduced), FINE)
        return float(np.mean([_is_same(original, restored, box) for box in prepared]))


@register
class ClickAccuracy(_ScreenMeasure):
    """The share of the elements on which a click lands that is made in the reduced picture.

    The map says where the element is in the reduced picture, and the click is on the pixel in the middle of that, as
    one who sees the reduced picture would click. It lands if

    - the map sends that pixel back into the element, and
    - the element is what is seen at that place. Taken with its surroundings, 8 pixels at each side, its coarse detail
      (squares of 25 x 25 pixels) correlates there by 0.3 or more, and at no other place within 8 pixels better by more
      than 0.02. Places that are less than a pixel of the reduced picture apart count as one, because nobody can tell
      them apart in it.

    The second condition is what catches a map that is consistent in itself and shifted. Text need not be legible for a
    click to land, hence the coarse detail.
    """

    name = "click-accuracy"
    question = "Do clicks on the parts of the screen land on them?"

    def prepare(self, sample: Sample) -> list[Edges]:
        """Return the boxes that count."""
        original = _grey(sample.pixels)
        return [box for box in _boxes(sample) if not _is_blank(_cut(original, _window(box, original.shape)))]

    def score(self, sample: Sample, reduced: Reduced, prepared: list[Edges]) -> float | None:
        if len(prepared) < FEWEST:
            return None
        original, restored = _grey(sample.pixels), _grey(_restored(reduced))
        restored = np.pad(restored, AROUND, mode="edge")
        corners = np.array(prepared, np.float64).reshape(-1, 2, 2)
        seen = reduced.coordinates.to_reduced(boxes=corners.reshape(-1, 4)).reshape(-1, 2, 2)
        clicks = _clicks(reduced, seen.mean(axis=1))
        sizes, seen_sizes = (np.diff(edges, axis=1)[:, 0] for edges in (corners, seen))
        coarseness = sizes / np.maximum(seen_sizes, sizes / AROUND)  # pixels of the original to one of the reduced
        landed = [
            box[0] <= click[0] < box[2] and box[1] <= click[1] < box[3] and _is_seen(original, restored, box, apart)
            for box, click, apart in zip(prepared, clicks, coarseness, strict=True)
        ]
        return float(np.mean(landed))


class ElementText(_ScreenMeasure, OfEngine):
    """The share of the words of an element that can still be read in it, as a mean over the elements that have words.

    Its words are those that the engine reads inside of it in the original. They count where the same engine reads them
    in the reduced picture at a place that the map sends into the element, 4 pixels beside it at most.
    """

    name = "element-text"
    question = "Can the labels of the parts of the screen still be read?"

    def prepare(self, sample: Sample) -> list[tuple[Edges, list[str]]]:
        """Return the boxes that have words, and these."""
        read = [word for word in self._engine.read(sample.pixels) if word.confidence >= SURE]
        centres = _centres(read)
        found = [(box, _words_in(box, read, centres, 0)) for box in _boxes(sample)]
        return [(box, text) for box, text in found if text]

    def score(self, sample: Sample, reduced: Reduced, prepared: Any) -> float | None:
        if len(prepared) < FEWEST:
            return None
        read = self._engine.read(np.ascontiguousarray(reduced.image))
        centres = reduced.coordinates.to_original(_centres(read), outside="clip")
        shares = []
        for box, text in prepared:
            still = Counter(_words_in(box, read, centres, MARGIN)) & Counter(text)
            shares.append(still.total() / len(text))
        return float(np.mean(shares))


for _engine in ENGINES.values():
    _members = {
        "engine": _engine.name,
        "name": f"{ElementText.name}-{_engine.name}",
        "question": f"{ElementText.question.rstrip('?')} (by {_engine.title})?",
        "__doc__": ElementText.__doc__,
        "__module__": __name__,
    }
    register(type(f"ElementText{_engine.__name__}", (ElementText,), _members))


def _boxes(sample: Sample) -> list[Edges]:
    """Return the elements of a screen in whole pixels, each place once, without those too small or large to count."""
    height, width = sample.pixels.shape[:2]
    return list(_counting(sample.truth.elements or (), width, height))


def _counting(elements: tuple[Box, ...], width: int, height: int) -> Iterator[Edges]:
    seen = set()
    for element in elements:
        x0, x1 = (min(max(round(x), 0), width) for x in (element.x0, element.x1))
        y0, y1 = (min(max(round(y), 0), height) for y in (element.y0, element.y1))
        wide, high = x1 - x0, y1 - y0
        if min(wide, high) < SMALLEST or wide * high > LARGEST * width * height or (x0, y0, x1, y1) in seen:
            continue
        seen.add((x0, y0, x1, y1))
        yield [x0, y0, x1, y1]


def _cut(picture: Floats, box: Edges) -> Floats:
    x0, y0, x1, y1 = box
    return picture[y0:y1, x0:x1]


def _is_blank(piece: Floats) -> bool:
    return float(np.sqrt(np.square(piece).mean())) < BLANK


def _is_same(original: Floats, restored: Floats, box: Edges) -> bool:
    """Tell whether the detail of an element is there, as a whole and inside."""
    x0, y0, x1, y1 = box
    rim = min(x1 - x0, y1 - y0) // 4
    inside = [x0 + rim, y0 + rim, x1 - rim, y1 - rim]
    parts = [box] if _is_blank(_cut(original, inside)) else [box, inside]
    return all(correlation(_cut(original, part), _cut(restored, part)) >= SAME for part in parts)


def _restored(reduced: Reduced) -> Pixels:
    return restore(np.ascontiguousarray(reduced.image), reduced.coordinates)


def _grey(pixels: Pixels) -> Floats:
    """Return the coarse detail of a picture without its colours: float32 (H, W)."""
    grey: Floats = detail(pixels, COARSE).mean(axis=2)
    return grey


def _window(box: Edges, shape: tuple[int, ...]) -> Edges:
    """Return what is compared of an element: its middle and its surroundings, within the picture."""
    window = []
    for low, high, end in ((box[0], box[2], shape[1]), (box[1], box[3], shape[0])):
        middle, reach = (low + high) // 2, min((high - low + 1) // 2 + AROUND, WINDOW // 2)
        window.append((max(middle - reach, 0), min(middle + reach, end)))
    (x0, x1), (y0, y1) = window
    return [x0, y0, x1, y1]


def _clicks(reduced: Reduced, at: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the pixels of the original that clicks on the reduced picture end up on: int64 (N, 2)."""
    pixels = np.minimum(np.floor(at).astype(np.int64), np.subtract(reduced.coordinates.reduced_size, 1))
    return reduced.coordinates.to_original(pixels=pixels)


def _is_seen(original: Floats, padded: Floats, box: Edges, apart: NDArray[np.float64]) -> bool:
    """Tell whether an element is seen at its place rather than elsewhere around it.

    ``padded`` is the restored picture with `AROUND` more pixels at each side, and ``apart`` how many pixels of the
    original one of the reduced picture is wide and high.
    """
    x0, y0, x1, y1 = _window(box, original.shape)
    piece = original[y0:y1, x0:x1] - original[y0:y1, x0:x1].mean()
    around = padded[y0 : y1 + 2 * AROUND, x0 : x1 + 2 * AROUND]
    places = sliding_window_view(around, piece.shape)  # (17, 17, h, w), without a copy
    along = np.einsum("ijhw,hw->ij", places, piece)
    spread = np.einsum("ijhw,ijhw->ij", places, places) - places.sum(axis=(2, 3)) ** 2 / piece.size
    energy = np.sqrt(np.maximum(spread, 0) * np.square(piece).sum())
    alike = np.divide(along, energy, out=np.zeros_like(along), where=energy > 1)
    near_x, near_y = (min(max(1, int(pixels)), AROUND) for pixels in apart)
    here = alike[AROUND - near_y : AROUND + near_y + 1, AROUND - near_x : AROUND + near_x + 1].max()
    return bool(here >= THERE and here >= alike.max() - NO_BETTER)


def _centres(read: tuple[Word, ...] | list[Word]) -> NDArray[np.float64]:
    return np.array([((w.box.x0 + w.box.x1) / 2, (w.box.y0 + w.box.y1) / 2) for w in read], np.float64).reshape(-1, 2)


def _words_in(box: Edges, read: tuple[Word, ...] | list[Word], centres: NDArray[np.float64], margin: int) -> list[str]:
    """Return the words whose centres are inside of a box, or beside it by at most a margin in pixels."""
    x0, y0, x1, y1 = box
    inside = np.all((centres >= (x0 - margin, y0 - margin)) & (centres < (x1 + margin, y1 + margin)), axis=1)
    return words(" ".join(read[index].text for index in np.flatnonzero(inside)))
