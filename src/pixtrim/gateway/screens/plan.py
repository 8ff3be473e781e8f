"""Whether the screen of a request can be made smaller without its client noticing, and what that takes.

It can where everything is understood: one tool points at places, all its screenshots are in the request and show the
whole display, and nothing else in the request may point somewhere. Otherwise nothing at all is mapped.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, cast

from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pixtrim.errors import UsageError
from pixtrim.gateway.edits import Edit
from pixtrim.gateway.formats.places import Place
from pixtrim.gateway.pictures import decoded
from pixtrim.gateway.screens import anthropic, openai_responses
from pixtrim.gateway.screens.pointer import ScreenFormat
from pixtrim.gateway.screens.screen import Screen
from pixtrim.gateway.settings import Settings
from pixtrim.tokens import Rule, largest_size, parse_budget

__all__ = ["SCREENS", "Plan", "plan", "reduced_size"]

_MODULES: Final[dict[str, ModuleType]] = {"anthropic": anthropic, "openai-responses": openai_responses}
SCREENS: Final = cast("dict[str, ScreenFormat]", _MODULES)
"""The wire formats that have tools of which the places can be mapped.

Chat completions and Ollama have none. Gemini's own tool names places in thousandths of the image, but the models that
have it bill images of all sizes alike, so that nothing is saved.
"""


@dataclass(frozen=True)
class Plan:
    """How a request's screen is made smaller.

    Attributes
    ----------
    screen : Screen
    scaled : frozenset of int
        Which images are scaled to ``screen.reduced``; they are of the size of the display. If one cannot be, nothing of
        this plan may be done. The other images are to be kept.
    edits : tuple of Edit
        What else is changed.
    """

    screen: Screen
    scaled: frozenset[int]
    edits: tuple[Edit, ...]


def plan(
    body: Mapping[str, Any],
    wire_format: str,
    places: Sequence[Place],
    texts: Sequence[str | None],
    rule: Rule,
    settings: Settings,
) -> Plan | None:
    """Return the plan for a request; None if its screen is to stay as it is.

    Parameters
    ----------
    body : mapping
        The request.
    wire_format : str
        Its wire format.
    places : sequence of Place
        Its images.
    texts : sequence of str or None
        The images in base64, as far as they are known and may be changed.
    rule : Rule
        The model's.
    settings : Settings
        The budget, and the largest image.
    """
    wire = SCREENS.get(wire_format)
    pointer = wire.pointer(body) if wire else None
    if wire is None or pointer is None:
        return None
    numbers = {place.path: number for number, place in enumerate(places)}
    if not numbers.keys() >= set(pointer.screenshots):
        return None
    shots = [numbers[path] for path in pointer.screenshots]
    sizes = [None if text is None else _size(text) for text in texts]
    shown, details = {sizes[shot] for shot in shots}, {places[shot].detail for shot in shots}
    display, detail = pointer.display, None  # what is declared does not change with the images
    if display is None and len(shown) == len(details) == 1:
        (display,), (detail,) = shown, details
    if display is None or not shown <= {display} or display[0] * display[1] > settings.max_pixels:
        return None
    reduced = reduced_size(display, rule, settings, detail if detail in rule.details else None)
    if reduced == display:
        return None
    screen = Screen(display, reduced)
    edits = wire.request_edits(body, screen)
    if edits is None:
        return None
    alike = (number for number, size in enumerate(sizes) if size == display)
    return Plan(screen, frozenset(n for n in alike if places[n].path not in pointer.closeups), tuple(edits))


def reduced_size(
    display: tuple[int, int], rule: Rule, settings: Settings, detail: str | None = None
) -> tuple[int, int]:
    """Return the size in which a model gets to see a display: its own where nothing is saved, or nothing fits.

    It does not depend on the images, nor on how many there are, so that it is the same in every turn: a provider's
    limit on the sides of many images is heeded from the first one on.

    Examples
    --------
    >>> from pixtrim.tokens import resolve
    >>> reduced_size((1920, 1080), resolve("claude-sonnet-4-5"), Settings())
    (1456, 819)
    >>> reduced_size((3840, 2160), resolve("claude-opus-4-7"), Settings(), None)
    (2000, 1125)
    """
    try:
        before = rule.count(*display, detail)
        if not rule.saves_by_pixels(detail):
            return display
        wanted = parse_budget(settings.budget, before)
        limits = (rule.limits.max_side, rule.limits.many_images_side, max(display))
        scale = min(limit for limit in limits if limit is not None) / max(display)
        width, height = (max(1, round(side * scale)) for side in display)
        return largest_size(rule, width, height, before if wanted is None else min(wanted, before), detail)
    except UsageError:
        return display


def _size(text: str) -> tuple[int, int] | None:
    """Read an image's size from its header; whether the rest is in order turns out later."""
    try:
        data = decoded(text)
        kind = PngImageFile if data[:4] == b"\x89PNG" else JpegImageFile if data[:2] == b"\xff\xd8" else WebPImageFile
        return kind(io.BytesIO(data)).size  # not Image.open, which has a cap of its own and warns before it
    except Exception:  # Pillow raises almost any type on damaged data
        return None
