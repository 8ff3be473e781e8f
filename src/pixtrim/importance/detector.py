"""Objects in pictures, found by a YOLOX network in an ONNX file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError
from pixtrim.importance.runtime import session_of

__all__ = ["COCO", "Detection", "Detector", "overlap"]

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_NAMES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)
COCO: Final = tuple(_NAMES.split(","))
"""The names of the 80 classes of COCO, in their order."""

STRIDES: Final = (8, 16, 32)  # pixels between the anchors of YOLOX's three grids
GROUND: Final = 114  # the grey that YOLOX pads with
SUPPRESSED: Final = 0.45  # boxes of a class that overlap a stronger one by more are the same object


class Detection(NamedTuple):
    """An object: edges (x0, y0, x1, y1) in pixels of the picture, the number of its class, a confidence in [0, 1]."""

    box: tuple[float, float, float, float]
    label: int
    score: float


class Detector:
    """A detector of the YOLOX family [1]_, as its ``export_onnx.py`` writes it.

    Parameters
    ----------
    path : path
        The .onnx file: float32 (1, 3, S, S) in, float32 (1, anchors, 5 + classes) out, the boxes not decoded.

    Attributes
    ----------
    version : str
        The file's name, without its folder, the start of its SHA-256, and the version of onnxruntime.
    classes : tuple of str or None
        The names of its classes, where it has those of COCO.

    Raises
    ------
    InputError
        If the file cannot be read or is no such detector.
    MissingExtraError
        If onnxruntime is not installed.

    References
    ----------
    .. [1] Z. Ge, S. Liu, F. Wang, Z. Li, J. Sun, "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = Path(path).name
        self._session, data = session_of(path, "detecting objects")
        self._input = self._session.get_inputs()[0]
        shape, out = self._input.shape, self._session.get_outputs()[0].shape
        self.version = f"{name} sha256 {hashlib.sha256(data).hexdigest()[:12]} onnxruntime {version('onnxruntime')}"
        square = len(shape) == 4 and shape[:2] == [1, 3] and isinstance(shape[2], int) and shape[2] == shape[3]
        anchors = sum((shape[2] // stride) ** 2 for stride in STRIDES) if square else 0
        if not square or out[:2] != [1, anchors] or out[2] < 6:
            raise InputError(f"{name}: {shape} in and {out} out is no YOLOX detector as its export_onnx.py writes it")
        self._side: int = shape[2]
        self.classes = COCO if out[2] - 5 == len(COCO) else None
        self._centres, self._strides = _anchors(self._side)

    def detect(self, pixels: Pixels, least: float = 0.3) -> list[Detection]:
        """Find the objects in a picture.

        Parameters
        ----------
        pixels : ndarray
            uint8 (H, W, 3).
        least : float
            The confidence from which an object counts: that it is one, times that it is of its class.

        Returns
        -------
        list of Detection
            Within the picture, the most confident first.
        """
        height, width = pixels.shape[:2]
        scale = min(self._side / width, self._side / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = np.full((self._side, self._side, 3), GROUND, np.uint8)
        canvas[: size[1], : size[0]] = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
        given = canvas[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)  # YOLOX takes BGR, 0 to 255
        found = self._session.run(None, {self._input.name: given})[0][0].astype(np.float64)

        centres = (found[:, :2] + self._centres) * self._strides
        halves = np.exp(np.minimum(found[:, 2:4], 20)) * self._strides / 2
        boxes = np.concatenate([centres - halves, centres + halves], axis=1)
        boxes = np.clip(boxes / np.tile(np.divide(size, (width, height)), 2), 0, (width, height, width, height))
        scores = found[:, 4:5] * found[:, 5:]
        labels = scores.argmax(axis=1)
        best = scores[np.arange(len(scores)), labels]
        order = np.argsort(-best, kind="stable")
        order = order[(best[order] >= least) & (boxes[order, 2:] > boxes[order, :2]).all(axis=1)]
        return [
            Detection(tuple(boxes[i].tolist()), int(labels[i]), float(best[i]))
            for i in _distinct(boxes, labels, order.tolist())
        ]


def overlap(a: Floats, b: Floats) -> Floats:
    """Return the intersection over union of each box of `a` with each of `b`: (N, 4) and (M, 4) edges to (N, M).

    Examples
    --------
    >>> overlap(np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 5], [20, 20, 30, 30]])).tolist()
    [[0.5, 0.0]]
    """
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2, dtype=np.float64)
    area_a, area_b = np.prod(a[:, 2:] - a[:, :2], axis=1), np.prod(b[:, 2:] - b[:, :2], axis=1)
    union = area_a[:, None] + area_b[None] - shared
    result: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


def _distinct(boxes: Floats, labels: NDArray[np.int64], order: Sequence[int]) -> list[int]:
    """Return the detections that are no weaker view of another one of their class, in their order."""
    kept: list[int] = []
    for i in order:
        rivals = [j for j in kept if labels[j] == labels[i]]
        if not rivals or overlap(boxes[[i]], boxes[rivals]).max() <= SUPPRESSED:
            kept.append(i)
    return kept


def _anchors(side: int) -> tuple[Floats, Floats]:
    """Return column and row of each anchor on its grid, float64 (N, 2), and its stride, (N, 1)."""
    grids = [np.indices((side // s, side // s))[::-1].reshape(2, -1).T for s in STRIDES]
    strides = [np.full((len(grid), 1), stride) for grid, stride in zip(grids, STRIDES, strict=True)]
    return np.concatenate(grids).astype(np.float64), np.concatenate(strides).astype(np.float64)
