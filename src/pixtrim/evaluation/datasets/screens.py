"""Screens: web pages with boxes of their elements, Android steps with view trees, browser tasks of WebVoyager."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pixtrim.evaluation.datasets.adapters import (
    Layout,
    box,
    first_truth,
    has_key,
    pairs,
    pictures_in,
    read_json,
    register,
    sample,
    text_field,
    truth_of,
)
from pixtrim.evaluation.samples import Box, Sample, Truth

__all__ = ["android", "web", "webvoyager"]

_BESIDE: Final = (Layout("", "", ".json"),)
_LARGEST_PART: Final = 0.5  # of the screen: larger views hold the others and are nothing that one aims at
_SMALLEST_SIDE: Final = 8  # px: what is flatter is a view that was folded away


def _has_json_with(root: Path, key: str) -> bool:
    found = first_truth(root, _BESIDE)
    return found is not None and has_key(found[1], key)


@register(
    "web", "web screenshots: x.png, x.json with the boxes of elements", lambda r: _has_json_with(r, "annotations")
)
def web(root: Path) -> Iterator[Sample]:
    """Yield screenshots of web pages; an element's label is its role: ``"button"``, ``"dropdown"``, ``"input"``."""
    for picture, path in pairs(root, _BESIDE):
        yield sample(root, picture, "web screenshot", Truth(elements=_annotations(path) if path else None))


def _annotations(path: Path) -> tuple[Box, ...] | None:
    with truth_of(path, "a list of the elements of a web page"):
        elements = [_annotation(entry) for entry in read_json(path)["annotations"]]
    return tuple(elements) or None


def _annotation(entry: dict[str, Any]) -> Box:
    x, y, width, height = (entry[key] for key in ("x", "y", "width", "height"))
    corner = box(x, y, width, height, text_field(entry, "tag", ""))
    if width <= 0 or height <= 0:
        raise ValueError(f"an element is {width} x {height} pixels")
    return corner._replace(x1=corner.x0 + corner.x1, y1=corner.y0 + corner.y1)


@register("android", "Android steps: step_1.png, step_1.json with the view tree", lambda r: _has_json_with(r, "views"))
def android(root: Path) -> Iterator[Sample]:
    """Yield the steps of one Android task, which belong together.

    Elements are the views that can be clicked or say something, labelled by what they say, or by their class. A view
    tree also lists views that others cover, without a sign of it. It therefore gives no text, and of views that overlap
    where neither holds the other, none counts; a view under a blank part of another remains.
    """
    for picture, path in pairs(root, _BESIDE):
        yield sample(root, picture, "Android screenshot", Truth(elements=_views(path) if path else None), ".")


def _views(path: Path) -> tuple[Box, ...] | None:
    with truth_of(path, "an Android view tree"):
        tree = read_json(path)
        width, height = tree["width"], tree["height"]
        found = [_view(view) for view in tree["views"] if _counts(view)]
        screen = box(0, 0, width, height, "")
        aimed_at = [view for view in found if _can_be_aimed_at(view, screen)]
    return tuple(view for view in aimed_at if not any(_cross(view, other) for other in aimed_at)) or None


def _counts(view: dict[str, Any]) -> bool:
    return bool(view["visible"] and (view["clickable"] or view["text"] or view["content_description"]))


def _view(view: dict[str, Any]) -> Box:
    (x0, y0), (x1, y1) = view["bounds"]
    said = [" ".join(str(view[key] or "").split()) for key in ("text", "content_description")]
    label = next((text for text in said if re.search(r"[^\W_]", text)), str(view["class"]).rpartition(".")[2])
    return box(x0, y0, x1, y1, label)


def _can_be_aimed_at(view: Box, screen: Box) -> bool:
    width, height = view.x1 - view.x0, view.y1 - view.y0
    inside = view.x0 >= 0 and view.y0 >= 0 and view.x1 <= screen.x1 and view.y1 <= screen.y1
    return inside and min(width, height) >= _SMALLEST_SIDE and width * height <= _LARGEST_PART * screen.x1 * screen.y1


def _cross(a: Box, b: Box) -> bool:
    x0, y0, x1, y1 = max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)
    return x0 < x1 and y0 < y1 and (x0, y0, x1, y1) not in (a[:4], b[:4])


_MESSAGES: Final = "interact_messages.json"


def _is_webvoyager(root: Path) -> bool:
    return (root / _MESSAGES).is_file()


@register("webvoyager", "steps of a WebVoyager task: step_1.png, interact_messages.json", _is_webvoyager)
def webvoyager(root: Path) -> Iterator[Sample]:
    """Yield the screenshots of one task of WebVoyager, which belong together; nothing is known about their contents."""
    for picture in pictures_in(root):
        yield sample(root, picture, "browser task", group=".")
