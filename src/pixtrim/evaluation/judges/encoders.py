"""Vision encoders under one contract: plain weights in a file, and those of timm and Transformers by their names."""

from __future__ import annotations

import hashlib
import math
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import PixtrimError, UsageError, require
from pixtrim.importance.vit import NumpyViT

__all__ = ["Backend", "Embedding", "Encoder", "encoder_named", "short_name"]

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
T = TypeVar("T")

REMEMBERED: Final = 16
"""Pictures whose features are kept: several measures in a row ask for those of the same pictures."""

FORMS: Final = "a .npz file, timm:NAME, transformers:NAME or the name of a repository of the Hugging Face hub"
FILTERS: Final = {name: Image.Resampling[name.upper()] for name in ("bilinear", "bicubic", "lanczos", "nearest")}


@dataclass(frozen=True, eq=False)
class Embedding:
    """What an encoder makes of a picture.

    Attributes
    ----------
    cls : ndarray
        float32 (D,): the whole picture, by the class token or, in encoders without one, by their own pooling.
    patches : ndarray
        float32 (rows, columns, D): what is at each place.
    """

    cls: Floats
    patches: Floats


class Backend(Protocol):
    """What runs a network; `pixtrim.importance.vit.NumpyViT` describes the attributes and methods.

    A `crop` of None means that the network classifies the whole picture, squashed to its size.
    """

    version: str
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: float | None
    resample: str
    classes: tuple[str, ...] | None

    def features(self, picture: Floats) -> tuple[Floats, Floats]: ...
    def logits(self, picture: Floats) -> Floats: ...


class Encoder:
    """A network, and the views of pictures that it is given.

    Parameters
    ----------
    spec : str
        What it was asked for by.
    backend : Backend
        The network. It runs in one thread: evaluations run several processes, and threads that wait for one another
        on busy cores make a picture take many times as long.

    Raises
    ------
    MissingExtraError
        If threadpoolctl is not installed.
    """

    def __init__(self, spec: str, backend: Backend) -> None:
        self.spec, self._backend = spec, backend
        self._threads = require("threadpoolctl", "evaluate", "an encoder").ThreadpoolController()
        self.version = backend.version
        self.classes = backend.classes
        self._numbers = _numbers(backend.classes or ())
        self._embeddings: OrderedDict[bytes, Embedding] = OrderedDict()
        self._answers: OrderedDict[bytes, int] = OrderedDict()

    def embed(self, pixels: Pixels) -> Embedding:
        """Return the features of a whole picture, squashed to the size that the network takes.

        Parameters
        ----------
        pixels : ndarray
            uint8 (H, W, 3).
        """
        return _remembered(self._embeddings, pixels, self._embed)

    def classify(self, pixels: Pixels) -> int:
        """Return the number of a picture's class, seen as when the network's accuracy was measured."""
        return _remembered(self._answers, pixels, self._classify)

    def number_of(self, label: str) -> int | None:
        """Return the number of a class by its name, one of its synonyms or its WordNet synset, None if it has none."""
        return self._numbers.get(label.casefold())

    def _embed(self, pixels: Pixels) -> Embedding:
        picture = self._normal(Image.fromarray(pixels), (0, 0, *pixels.shape[1::-1]))
        with self._threads.limit(limits=1):
            return Embedding(*self._backend.features(picture))

    def _classify(self, pixels: Pixels) -> int:
        picture = Image.fromarray(pixels)
        box: tuple[float, float, float, float] = (0, 0, *picture.size)
        if self._backend.crop is not None:
            height, width = self._backend.size
            crop = self._backend.crop
            scale = max(math.floor(width / crop) / picture.width, math.floor(height / crop) / picture.height)
            size = round(picture.width * scale), round(picture.height * scale)
            picture = picture.resize(size, FILTERS[self._backend.resample])
            left, top = (picture.width - width) // 2, (picture.height - height) // 2
            box = (left, top, left + width, top + height)
        seen = self._normal(picture, box)
        with self._threads.limit(limits=1):
            return int(self._backend.logits(seen).argmax())

    def _normal(self, picture: Image.Image, box: tuple[float, float, float, float]) -> Floats:
        height, width = self._backend.size
        seen = picture.resize((width, height), FILTERS[self._backend.resample], box)
        values = np.asarray(seen, np.float32) / np.float32(255)
        normal = (values - np.array(self._backend.mean, np.float32)) / np.array(self._backend.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1))


class TimmEncoder:
    """A network of timm, of any architecture that has features at places. See `Backend`."""

    def __init__(self, name: str) -> None:
        self._torch = require("torch", "vit", "an encoder of timm")
        timm = require("timm", "vit", "an encoder of timm")
        with self._torch.inference_mode():
            self._model = timm.create_model(name, pretrained=True).eval()
        config = timm.data.resolve_model_data_config(self._model)
        self.version = f"timm {timm.__version__} torch {self._torch.__version__} {_identity(name)}"
        self.size = (config["input_size"][1], config["input_size"][2])
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self.crop: float | None = config["crop_pct"]
        self.resample = config["interpolation"] if config["interpolation"] in FILTERS else "bicubic"
        self.classes: tuple[str, ...] | None = None
        subset = timm.data.infer_imagenet_subset(self._model)
        if subset is not None:
            info = timm.data.ImageNetInfo(subset)
            both = ((info.index_to_label_name(i), info.index_to_description(i)) for i in range(info.num_classes()))
            self.classes = tuple(f"{synset} {words}" for synset, words in both)

    def features(self, picture: Floats) -> tuple[Floats, Floats]:
        with self._torch.inference_mode():
            found = self._model.forward_features(self._torch.from_numpy(picture)[None])
            pooled = self._model.forward_head(found, pre_logits=True)
        if found.ndim == 3:
            tokens = found[0, getattr(self._model, "num_prefix_tokens", 0) :].numpy()
            patches = tokens.reshape(*_grid(len(tokens), self.size), -1)
        else:  # channels first, as in convolutional networks, or last
            last = found.shape[3] == self._model.num_features
            patches = (found[0] if last else found[0].permute(1, 2, 0)).numpy()
        return pooled[0].numpy(), patches

    def logits(self, picture: Floats) -> Floats:
        with self._torch.inference_mode():
            found: Floats = self._model(self._torch.from_numpy(picture)[None])[0].numpy()
        return found


class TransformersEncoder:
    """A vision encoder of Transformers, or the vision part of a model of pictures and text. See `Backend`."""

    def __init__(self, name: str) -> None:
        self._torch = require("torch", "vit", "an encoder of Transformers")
        library = require("transformers", "vit", "an encoder of Transformers")
        processors = require(
            "transformers.models.auto.image_processing_auto", "vit", "an encoder of Transformers"
        )  # the settings alone: the processors themselves may need torchvision
        config = library.AutoConfig.from_pretrained(name)
        heads = any(arch.endswith("ForImageClassification") for arch in config.architectures or ())
        kind = library.AutoModelForImageClassification if heads else library.AutoModel
        self._model = kind.from_pretrained(name, dtype=self._torch.float32).eval()
        base = self._model.base_model if heads else self._model
        self._vision = getattr(base, "vision_model", base)
        settings = processors.get_image_processor_config(name)
        if "image_mean" not in settings:
            raise UsageError(f"encoder is {name!r}: it comes without the settings of an image processor (image_mean)")
        self.version = f"transformers {library.__version__} torch {self._torch.__version__} {_identity(name)}"
        self.mean, self.std = tuple(settings["image_mean"]), tuple(settings["image_std"])
        self.resample = Image.Resampling(settings.get("resample", Image.Resampling.BICUBIC)).name.lower()
        side = getattr(self._vision.config, "image_size", None)
        self.size: tuple[int, int] = (side, side) if isinstance(side, int) else tuple(side or (224, 224))
        self.crop: float | None = None
        if settings.get("do_center_crop") and "shortest_edge" in settings.get("size", {}):
            crop = settings["crop_size"]
            self.crop = (crop["height"] if isinstance(crop, dict) else crop) / settings["size"]["shortest_edge"]
        self.classes = tuple(config.id2label[i] for i in range(config.num_labels)) if heads else None

    def features(self, picture: Floats) -> tuple[Floats, Floats]:
        with self._torch.inference_mode():
            found = self._vision(pixel_values=self._torch.from_numpy(picture)[None])
        states, pooled = found.last_hidden_state[0], getattr(found, "pooler_output", None)
        if states.ndim == 3:  # channels first
            patches = states.permute(1, 2, 0).numpy()
            return (patches.mean(axis=(0, 1)) if pooled is None else pooled[0].flatten().numpy()), patches
        rows, columns = _grid(len(states), self.size, getattr(self._vision.config, "patch_size", None))
        prefix = len(states) - rows * columns
        patches = states[prefix:].reshape(rows, columns, -1).numpy()
        if prefix:
            return states[0].numpy(), patches
        return (patches.mean(axis=(0, 1)) if pooled is None else pooled[0].numpy()), patches

    def logits(self, picture: Floats) -> Floats:
        with self._torch.inference_mode():
            found: Floats = self._model(pixel_values=self._torch.from_numpy(picture)[None]).logits[0].numpy()
        return found


@cache
def encoder_named(spec: str) -> Encoder:
    """Load an encoder; the same object answers the next call.

    Parameters
    ----------
    spec : str
        ``"weights/deit_tiny.npz"``: weights of a plain ViT under timm's parameter names, computed by NumPy.
        ``"timm:vit_small_patch14_dinov2.lvd142m"``, ``"timm:local-dir:FOLDER"``: whatever ``timm.create_model`` takes.
        ``"transformers:facebook/dinov2-small"``, ``"transformers:FOLDER"``: whatever ``AutoModel`` takes.
        ``"timm/vit_small_patch14_dinov2.lvd142m"``, ``"facebook/dinov2-small"``: a repository of the hub, those of
        timm by timm and others by Transformers.

    Raises
    ------
    UsageError
        If it cannot be loaded: the message says why.
    InputError
        If a file is no such weights.
    MissingExtraError
        If PyTorch or the library is not installed.
    """
    backend, name = _parted(spec)
    try:
        return Encoder(spec, backend(name))
    except PixtrimError:
        raise
    except Exception as error:  # the libraries raise whatever their hubs, files and networks do
        why = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"encoder is {spec!r}: it cannot be loaded ({why:.120}): give {FORMS}") from error


def short_name(spec: str) -> str:
    """Return what tables call an encoder or detector.

    Examples
    --------
    >>> short_name("weights/deit_tiny_fp16.npz"), short_name("timm:vit_small_patch14_dinov2.lvd142m")
    ('deit-tiny-fp16', 'vit-small-patch14-dinov2-lvd142m')
    >>> short_name("facebook/dinov2-small")
    'dinov2-small'
    """
    last = re.split(r"[/\\:]", spec.rstrip("/\\"))[-1]
    stem = re.sub(r"\.(npz|onnx)$", "", last, flags=re.IGNORECASE)
    return re.sub("[^a-z0-9]+", "-", stem.lower()).strip("-")


def _parted(spec: str) -> tuple[Callable[[str], Backend], str]:
    library, colon, name = spec.partition(":")
    if colon and name and library in ("timm", "transformers"):
        return (TimmEncoder if library == "timm" else TransformersEncoder), name
    if spec.lower().endswith(".npz"):
        return NumpyViT, spec
    if re.fullmatch(r"[\w.-]+/[\w.-]+", spec):
        return (TimmEncoder, f"hf-hub:{spec}") if spec.startswith("timm/") else (TransformersEncoder, spec)
    raise UsageError(f"encoder is {spec!r}: give {FORMS}")


def _remembered(memory: OrderedDict[bytes, T], pixels: Pixels, make: Callable[[Pixels], T]) -> T:
    key = hashlib.blake2b(np.ascontiguousarray(pixels).data, key=str(pixels.shape).encode(), digest_size=16).digest()
    if key not in memory:
        memory[key] = make(pixels)
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
    return memory[key]


def _grid(count: int, size: tuple[int, int], patch: object = None) -> tuple[int, int]:
    """Return rows and columns of `count` features at places, of which some before them may belong to no place."""
    if isinstance(patch, int) and (size[0] // patch) * (size[1] // patch) <= count:
        return size[0] // patch, size[1] // patch
    for stride in range(1, max(size) + 1):
        if (size[0] // stride) * (size[1] // stride) == count:
            return size[0] // stride, size[1] // stride
    raise UsageError(f"{count} features of a picture of {size[1]}x{size[0]} are on no grid: choose another encoder")


def _numbers(classes: tuple[str, ...]) -> dict[str, int]:
    """Return the number of each class by all of its names; a name that two classes share names neither."""
    found: dict[str, set[int]] = {}
    for number, line in enumerate(classes):
        synset = re.match(r"n\d{8}\b", line)
        words = line[synset.end() :] if synset else line
        names = {line, words, *words.split(","), *([synset.group()] if synset else [])}
        for name in names:
            found.setdefault(name.strip().casefold(), set()).add(number)
    return {name: next(iter(numbers)) for name, numbers in found.items() if len(numbers) == 1 and name}


def _identity(name: str) -> str:
    """Return what tells weights apart: name and digest of a local folder, not its place; a hub's name as it stands."""
    folder = Path(name.removeprefix("local-dir:"))
    if not folder.is_dir():
        return name
    folder = folder.resolve()
    total = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.suffix in (".safetensors", ".bin", ".json"):
            total.update(file.read_bytes())
    return f"{folder.name} sha256 {total.hexdigest()[:12]}"
