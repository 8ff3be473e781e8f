"""Whether networks still see the same in a reduced picture: its class, its features, the objects in it.

Each measure belongs to one network, whose name is part of its own, because one network's taste is not the truth:
`encoder_measures` and `detector_measures` make those of a network. What is registered has no network yet: lists
show it, and `Measure.missing` says what to give.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.evaluation.judges.encoders import Encoder, encoder_named, short_name
from pixtrim.evaluation.measures import Measure, register
from pixtrim.evaluation.measures.fidelity import NATURAL, cosine
from pixtrim.evaluation.reducers import Reduced
from pixtrim.evaluation.samples import Box, Sample
from pixtrim.evaluation.sampling import bilinear
from pixtrim.importance.detector import Detector, overlap

__all__ = [
    "DetectionRecall",
    "DetectionRecallSelf",
    "EmbeddingCosine",
    "LabelAgreement",
    "LabelAgreementSelf",
    "PatchCosine",
    "detector_measures",
    "encoder_measures",
]

Floats = NDArray[np.float64]

CONFIDENT: Final = 0.5
"""From which confidence on an object in the original has to be found again."""

FOUND: Final = 0.3
"""From which confidence on it counts as found: lower, so that a wobble about one threshold is no loss."""

OVERLAP: Final = 0.5
"""Least intersection over union of two boxes of the same object, in pixels of the original."""

SELF: Final = "-self"
"""The end of the name of a measure whose truth is what the same network sees in the original."""


class _OfNetwork(Measure, ABC):
    """What measures by a network share. They travel to other processes by its name, and load it where they are used."""

    needs: ClassVar[str]

    def __init__(self, network: str | None = None) -> None:
        if network is None:
            raise UsageError(f"metric is {self.name!r}: {self.missing()}")
        self.network = network
        self.name = _named(type(self), network)  # each network has its own
        self.version = f"1 {self.network_version()}"

    @abstractmethod
    def network_version(self) -> str:
        """Return what results of the network are cached by."""

    @classmethod
    def missing(cls) -> str | None:
        return f"needs {cls.needs}"


class _OfEncoder(_OfNetwork):
    needs = "an encoder: give --encoder with weights of a ViT (.npz), or a name in timm or Transformers"

    @property
    def encoder(self) -> Encoder:
        return encoder_named(self.network)

    def network_version(self) -> str:
        return self.encoder.version


@register
class LabelAgreement(_OfEncoder):
    """1 where the encoder's first choice for the reduced picture is its true class, else 0.

    The picture is cut and resized as it was when the encoder's accuracy was measured. Only pictures whose class the
    encoder knows have a score.
    """

    name = "label-agreement"
    question = "Is the picture still recognised for what it is?"

    def applies(self, sample: Sample) -> bool:
        return sample.truth.label is not None and self.encoder.number_of(sample.truth.label) is not None

    def score(self, sample: Sample, reduced: Reduced, prepared: object) -> float | None:
        number = self.encoder.number_of(sample.truth.label or "")
        return None if number is None else float(self.encoder.classify(reduced.image) == number)


@register
class LabelAgreementSelf(_OfEncoder):
    """1 where the encoder's first choice for the reduced picture is that for the original, else 0."""

    name = "label-agreement-self"
    question = "Is the picture still taken for the same as the original?"

    def applies(self, sample: Sample) -> bool:
        return sample.kind in NATURAL and self.encoder.classes is not None

    def prepare(self, sample: Sample) -> int:
        return self.encoder.classify(sample.pixels)

    def score(self, sample: Sample, reduced: Reduced, prepared: int) -> float | None:
        return float(self.encoder.classify(reduced.image) == prepared)


@register
class EmbeddingCosine(_OfEncoder):
    """Cosine of the encoder's embeddings (class token) of the reduced picture and the original.

    Both are squashed whole to the encoder's size. At 224 px it sees none of the detail that reducing takes from a large
    picture; the score says whether the whole looks the same. So does that of TheTileCompany's demonstration, with a
    ViT-B of 224 px: ``transformers:google/vit-base-patch16-224-in21k`` at ``--budget 70%`` is its setting. Pictures of
    the world only: encoders of photos see a page as a grey field.
    """

    name = "embedding-cosine"
    question = "Does an encoder see the same picture as a whole?"

    def applies(self, sample: Sample) -> bool:
        return sample.kind in NATURAL

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        return self.encoder.embed(sample.pixels).cls

    def score(self, sample: Sample, reduced: Reduced, prepared: NDArray[np.float32]) -> float | None:
        return cosine(prepared, self.encoder.embed(reduced.image).cls)


@register
class PatchCosine(_OfEncoder):
    """Mean cosine of the encoder's features at the places of the original's patches, aligned by the coordinate map.

    Each patch of the original asks the map where its centre went, and the features of the reduced picture answer by
    bilinear interpolation. A map that is wrong by some pixels shows only where patches are not much larger than that.
    """

    name = "patch-cosine"
    question = "Does an encoder see the same at each place?"

    def applies(self, sample: Sample) -> bool:
        return sample.kind in NATURAL

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        return self.encoder.embed(sample.pixels).patches

    def score(self, sample: Sample, reduced: Reduced, prepared: NDArray[np.float32]) -> float | None:
        rows, columns = prepared.shape[:2]
        width, height = reduced.coordinates.original_size
        centres = np.stack(np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5), axis=-1)
        there = reduced.coordinates.to_reduced(centres * (width / columns, height / rows))
        found = self.encoder.embed(reduced.image).patches
        at = bilinear(found, there / reduced.coordinates.reduced_size * found.shape[1::-1])
        lengths = np.linalg.norm(at, axis=2) * np.linalg.norm(prepared, axis=2)
        products = np.einsum("ijk,ijk->ij", at, prepared)
        return float(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0).mean())


class _OfDetector(_OfNetwork):
    needs = "a detector: give --detector with the file of a YOLOX network (.onnx)"

    @property
    def detector(self) -> Detector:
        return _detector(self.network)

    def network_version(self) -> str:
        return self.detector.version

    def recall(self, reduced: Reduced, boxes: Floats, labels: NDArray[np.int64]) -> float | None:
        """Return the share of boxes, float64 (N, 4) in pixels of the original, that are found; a label of -1 is any."""
        if not len(boxes):
            return None
        found = self.detector.detect(reduced.image, FOUND)
        if not found:
            return 0.0
        places = reduced.coordinates.to_original(boxes=[detection.box for detection in found], outside="clip")
        shared = overlap(boxes, places)
        same = (labels[:, None] == [detection.label for detection in found]) | (labels[:, None] < 0)
        shared[~same | (shared < OVERLAP)] = 0
        hits = 0
        while shared.any():  # the best pair first, each box once
            i, j = np.unravel_index(shared.argmax(), shared.shape)
            shared[i], shared[:, j] = 0, 0
            hits += 1
        return hits / len(boxes)


@register
class DetectionRecall(_OfDetector):
    """Share of the objects that people marked which the detector finds in the reduced picture.

    A found box is mapped to the original; it has to share half of the union with the marked one, and be of its class
    where that is a class of the detector. Each box counts once.
    """

    name = "detection-recall"
    question = "Are the objects still found, at their places?"

    def applies(self, sample: Sample) -> bool:
        return bool(sample.truth.objects)

    def score(self, sample: Sample, reduced: Reduced, prepared: object) -> float | None:
        objects = sample.truth.objects or ()
        boxes = np.array([box[:4] for box in objects], np.float64).reshape(-1, 4)
        return self.recall(reduced, boxes, np.array([self._number(box) for box in objects], np.int64))

    def _number(self, box: Box) -> int:
        classes = self.detector.classes or ()
        return classes.index(box.label.casefold()) if box.label.casefold() in classes else -1


@register
class DetectionRecallSelf(_OfDetector):
    """Share of the objects that the detector is confident of in the original which it finds in the reduced picture.

    Confident from 0.5 on, found from 0.3 on; place and class as in `DetectionRecall`. A picture without such objects
    has no score.
    """

    name = "detection-recall-self"
    question = "Are the objects found that are found in the original, at their places?"

    def applies(self, sample: Sample) -> bool:
        return sample.kind in NATURAL

    def prepare(self, sample: Sample) -> list[list[float]]:
        return [[*found.box, found.label] for found in self.detector.detect(sample.pixels, CONFIDENT)]

    def score(self, sample: Sample, reduced: Reduced, prepared: list[list[float]]) -> float | None:
        objects = np.array(prepared, np.float64).reshape(-1, 5)
        return self.recall(reduced, objects[:, :4], objects[:, 4].astype(np.int64))


_BY_ENCODER: Final = (LabelAgreement, LabelAgreementSelf, EmbeddingCosine, PatchCosine)
_BY_DETECTOR: Final = (DetectionRecall, DetectionRecallSelf)


def encoder_measures(spec: str) -> tuple[Measure, ...]:
    """Return the measures of a vision encoder.

    Their names end with its own, before ``-self``: ``"label-agreement-dinov2-small-self"``.

    Parameters
    ----------
    spec : str
        As `pixtrim.evaluation.judges.encoders.encoder_named` takes it.

    Raises
    ------
    UsageError
        If the encoder cannot be loaded, or a library that it needs is not installed.
    InputError
        If a file does not hold an encoder.
    """
    return tuple(measure(spec) for measure in _BY_ENCODER)


def detector_measures(path: str) -> tuple[Measure, ...]:
    """Return the measures of a detector in an ONNX file.

    Their names end with that of the file, before ``-self``: ``"detection-recall-yolox-nano"``.

    Parameters
    ----------
    path : str
        As `pixtrim.importance.detector.Detector` takes it.

    Raises
    ------
    InputError
        If the file does not hold a detector.
    MissingExtraError
        If onnxruntime is not installed.
    """
    return tuple(measure(path) for measure in _BY_DETECTOR)


@cache
def _detector(path: str) -> Detector:
    return Detector(path)


def _named(measure: type[Measure], network: str) -> str:
    end = SELF if measure.name.endswith(SELF) else ""
    return f"{measure.name.removesuffix(SELF)}-{short_name(network)}{end}"
