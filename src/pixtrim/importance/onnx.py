"""Importance by networks in ONNX files: objects that a detector finds, and what a network segments."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, UsageError
from pixtrim.importance.detector import Detector
from pixtrim.importance.maps import Importance, Pixels, checked_pixels, resized_map
from pixtrim.importance.regions import box_map
from pixtrim.importance.runtime import session_of

__all__ = ["Objects", "Segmentation"]

Floats = NDArray[np.float32]

MARGIN: Final = 0.15  # where importance fades around an object, as a share of its side
FREE_SIDE: Final = 320  # pixels of the side that a network is shown that takes any


class Objects:
    """A source of importance: the objects that a detector finds, each as sure as the detector is.

    Parameters
    ----------
    path : path
        As `pixtrim.importance.detector.Detector` takes it: a YOLOX network.
    labels : collection of int or str, optional
        Which classes count: their numbers, or their names where the detector has the classes of COCO. All by default.
    least : float
        The confidence from which an object counts, in (0, 1).

    Raises
    ------
    UsageError
        If a class is unknown or the confidence out of range.
    InputError, MissingExtraError
        As `pixtrim.importance.detector.Detector` raises them.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, labels: Collection[int | str] | None = None, least: float = 0.3
    ) -> None:
        if not 0 < least < 1:
            raise UsageError(f"least is {least!r}: give a confidence above 0 and below 1")
        self._detector, self._least = Detector(path), least
        self._labels = None if labels is None else {self._number(label) for label in labels}

    def __call__(self, pixels: Pixels) -> Importance:
        """Return the importance of a picture: uint8 (H, W, 3) to float32 (H, W)."""
        size = checked_pixels(pixels)
        found = [
            each
            for each in self._detector.detect(pixels, self._least)
            if self._labels is None or each.label in self._labels
        ]
        return box_map([each.box for each in found], size, [min(1.0, each.score) for each in found], margin=MARGIN)

    def _number(self, label: int | str) -> int:
        names = self._detector.classes or ()
        if isinstance(label, str) and label in names:
            return names.index(label)
        if isinstance(label, (int, np.integer)) and not isinstance(label, bool) and label >= 0:
            return int(label)
        raise UsageError(f"label is {label!r}: give the number of a class" + (", or its name in COCO" if names else ""))


class Segmentation:
    """A source of importance: what a network in an ONNX file segments.

    Parameters
    ----------
    path : path
        The .onnx file. It takes one picture, float32 (1, 3, H, W) or (1, H, W, 3), RGB, normalised as for ImageNet;
        where it takes any size, the picture's longer side becomes 320 pixels. Its first output is one map
        (1, 1, h, w), as salient object detectors of the kind of U2-Net [1]_ have it, or scores of classes
        (1, C, h, w), of which those count that are `foreground`. The axis of classes may be the last one, too.
    foreground : collection of int, optional
        The numbers of the classes that matter; all but number 0, the background, by default.

    Raises
    ------
    UsageError
        If a class is unknown.
    InputError
        If the file cannot be read or the network takes or gives something else.
    MissingExtraError
        If onnxruntime is not installed.

    Notes
    -----
    A single map is taken as it is if it lies in [0, 1]; else it is passed through the logistic function. Scores become
    shares by the softmax, and those of the foreground are summed.

    References
    ----------
    .. [1] X. Qin et al., "U2-Net: going deeper with nested U-structure for salient object detection", Pattern
       Recognition 106, 2020.
    """

    _MEAN: Final = np.array((0.485, 0.456, 0.406), np.float32)
    _STD: Final = np.array((0.229, 0.224, 0.225), np.float32)

    def __init__(self, path: str | os.PathLike[str], *, foreground: Collection[int] | None = None) -> None:
        self._name = Path(path).name
        self._session, _ = session_of(path, "segmenting")
        taken = self._session.get_inputs()
        shape = taken[0].shape if len(taken) == 1 else []
        free = [size if isinstance(size, int) and size > 0 else None for size in shape]
        if len(free) != 4 or free[0] not in (1, None) or taken[0].type != "tensor(float)":
            raise InputError(
                f"{self._name}: {self._about()}: one picture, float32 (1, 3, H, W) or (1, H, W, 3), is needed"
            )
        self._last = free[3] == 3 and free[1] != 3
        if not self._last and free[1] not in (3, None):
            raise InputError(f"{self._name}: {self._about()}: pictures of 3 channels are needed")
        self._input, self._shape = taken[0].name, free[1:3] if self._last else free[2:]
        if foreground is not None and not all(isinstance(n, (int, np.integer)) and n >= 0 for n in foreground):
            raise UsageError(f"foreground is {foreground!r}: give the numbers of classes")
        self._foreground = None if foreground is None else sorted({int(n) for n in foreground})

    def __call__(self, pixels: Pixels) -> Importance:
        """Return the importance of a picture: uint8 (H, W, 3) to float32 (H, W)."""
        size = checked_pixels(pixels)
        scale = FREE_SIDE / max(size)
        width, height = (
            known or max(1, round(side * scale)) for known, side in zip(self._shape[::-1], size, strict=True)
        )
        seen = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR), np.float32)
        seen = (seen / np.float32(255) - self._MEAN) / self._STD
        given = np.ascontiguousarray(seen if self._last else seen.transpose(2, 0, 1))[None]
        try:
            answer = self._session.run(None, {self._input: given})[0]
        except Exception as error:  # onnxruntime's errors share no base of their own
            why = " ".join(str(error).split())
            raise InputError(f"{self._name}: it does not take a picture of {width}x{height} ({why:.80})") from None
        return resized_map(self._shown(np.asarray(answer, np.float32), (height, width)), size)

    def _shown(self, answer: Floats, seen: tuple[int, int]) -> Floats:
        """Return the map of what matters, float32 (h, w), of what the network answered."""
        if answer.ndim == 3 and answer.shape[0] == 1:
            answer = answer[:, None]
        if answer.ndim != 4 or answer.shape[0] != 1 or not answer.size or not np.isfinite(answer).all():
            raise InputError(f"{self._name}: it answered {answer.shape}: finite numbers (1, C, h, w) are needed")
        plane = answer[0]
        if _is_last(plane.shape, seen):
            plane = plane.transpose(2, 0, 1)
        if len(plane) == 1:
            inside = plane[0].min() >= 0 and plane[0].max() <= 1
            return plane[0] if inside else _logistic(plane[0])
        wrong = [n for n in self._foreground or () if n >= len(plane)]
        if wrong:
            raise UsageError(f"foreground has {wrong[0]}: {self._name} has {len(plane)} classes, from 0 on")
        shares = np.exp(plane - plane.max(axis=0))
        shares /= shares.sum(axis=0)
        chosen = shares[1:] if self._foreground is None else shares[self._foreground]
        result: Floats = np.minimum(chosen.sum(axis=0), 1)
        return result

    def _about(self) -> str:
        parts = (self._session.get_inputs(), self._session.get_outputs())
        taken, given = (", ".join(f"{each.type[7:-1]} {each.shape}" for each in part) for part in parts)
        return f"it takes {taken} and gives {given}"


def _is_last(shape: tuple[int, ...], seen: tuple[int, int]) -> bool:
    """Whether an answer has its classes last: the first two axes, and not the last two, are of the picture's shape."""

    def off(rows: int, columns: int) -> float:
        return abs(math.log(rows / columns * seen[1] / seen[0]))

    if shape[0] == 1 or shape[2] == 1:
        return shape[0] != 1
    first, last = off(shape[1], shape[2]), off(shape[0], shape[1])
    return last < first


def _logistic(x: Floats) -> Floats:
    return np.float32(0.5) * (np.tanh(x / 2) + 1)
