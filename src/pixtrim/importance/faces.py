"""Importance by faces, which YuNet finds by way of OpenCV."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import numpy as np

from pixtrim.errors import InputError, UsageError, require
from pixtrim.importance.gradient import reduced
from pixtrim.importance.maps import Importance, Pixels, checked_pixels
from pixtrim.importance.regions import box_map

__all__ = ["Faces"]

MARGIN: Final = 0.5  # where importance fades around a face, as a share of its side: hair and chin are outside its box
LONGEST: Final = 1024  # pixels of the longer side that faces are looked for in
OVERLAP: Final = 0.3  # of two boxes, from which they are the same face


class Faces:
    """A source of importance: faces [1]_, each as sure as the detector is, with a soft margin.

    Parameters
    ----------
    path : path
        The .onnx file of YuNet. It is not part of pixtrim.
    least : float
        The confidence from which a face counts, in (0, 1).

    Raises
    ------
    UsageError
        If the confidence is out of range.
    InputError
        If the file cannot be read or is no such network.
    MissingExtraError
        If OpenCV is not installed.

    References
    ----------
    .. [1] W. Wu, H. Peng, S. Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 20,
       2023.
    """

    def __init__(self, path: str | os.PathLike[str], *, least: float = 0.6) -> None:
        if not 0 < least < 1:
            raise UsageError(f"least is {least!r}: give a confidence above 0 and below 1")
        self._cv = require("cv2", "faces", "finding faces")
        self._file, self._least = Path(path), least
        if not self._file.is_file():
            raise InputError(f"{self._file.name}: the face detector cannot be read: there is no such file")
        self._lock = threading.Lock()  # a detector is told the size of each picture first
        try:
            self._detector = self._cv.FaceDetectorYN.create(str(self._file), "", (320, 320), least, OVERLAP)
            self._detector.detect(np.zeros((320, 320, 3), np.uint8))
        except self._cv.error as error:
            why = " ".join(str(error).split())
            raise InputError(f"{self._file.name}: not a YuNet face detector ({why:.80})") from None

    def __call__(self, pixels: Pixels) -> Importance:
        """Return the importance of a picture: uint8 (H, W, 3) to float32 (H, W)."""
        width, height = checked_pixels(pixels)
        small = reduced(pixels, LONGEST)
        with self._lock:
            self._detector.setInputSize(small.shape[1::-1])
            found = self._detector.detect(np.ascontiguousarray(small[:, :, ::-1]))[1]  # it takes BGR
        if found is None:
            return np.zeros((height, width), np.float32)
        scale = np.array((width / small.shape[1], height / small.shape[0]) * 2)
        edges = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1) * scale
        edges = np.clip(edges, 0, (width, height, width, height))
        real = (edges[:, 2:] > edges[:, :2]).all(axis=1)
        scores = np.clip(found[real, -1], 0, 1)
        return box_map(edges[real], (width, height), scores.tolist(), margin=MARGIN)
