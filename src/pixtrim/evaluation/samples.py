"""One contract for what is evaluated: a picture, its kind, and whatever is known to be true of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixtrim.image import load

__all__ = ["Box", "Question", "Sample", "Truth"]


class Box(NamedTuple):
    """Something that is seen at a place: x0, y0, x1, y1 in pixels of the original, and what it is."""

    x0: float
    y0: float
    x1: float
    y1: float
    label: str = ""


class Question(NamedTuple):
    """A question about the picture, and the answers that count as right."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """What is known about a picture; each part is None where nobody wrote it down.

    Attributes
    ----------
    text : str or None
        What is written in the picture, in reading order as far as that is known.
    elements : tuple of Box or None
        Parts of a screen that can be clicked, read or looked at.
    objects : tuple of Box or None
        Things in a photo.
    label : str or None
        The class of the picture; for ImageNet, the WordNet synset ("n01616318").
    mask : callable or None
        Returns bool (H, W): the salient object.
    segments : callable or None
        Returns int (H, W): the number of the segment of each pixel.
    questions : tuple of Question
        Questions about the picture.
    """

    text: str | None = None
    elements: tuple[Box, ...] | None = None
    objects: tuple[Box, ...] | None = None
    label: str | None = None
    mask: Callable[[], NDArray[np.bool_]] | None = None
    segments: Callable[[], NDArray[np.int64]] | None = None
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One picture of a data set.

    Attributes
    ----------
    name : str
        Its place in the data set, with forward slashes: ``"funsd/0000971160.png"``. Unique within a data set.
    kind : str
        What it is, in plain words: ``"document scan"``, ``"web screenshot"``, ``"photo"``. Results are given by kind.
    read : callable
        Returns the bytes of the encoded picture.
    truth : Truth
        What is known about it.
    group : str
        Pictures that belong together, such as the steps of one task; they are no independent samples. Its own name by
        default.
    """

    name: str
    kind: str
    read: Callable[[], bytes] = field(repr=False)
    truth: Truth = field(default_factory=Truth, repr=False)
    group: str = ""

    @cached_property
    def data(self) -> bytes:
        """The encoded picture."""
        return self.read()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the encoded picture, in hexadecimal: what results are cached by."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """The picture: uint8 (H, W, 3), C-contiguous; raises InputError where it cannot be used."""
        return np.ascontiguousarray(load(self.data, name=self.name).pixels)
