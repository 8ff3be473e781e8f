"""pixtrim in front of any model of VLMEvalKit.

VLMEvalKit knows its models by a dictionary, ``supported_VLM``, to which `add` adds a second entry for each. As it has
no place for other people's models, a file of five lines stands in for its ``run.py``::

    import runpy
    from vlmeval.config import supported_VLM
    from pixtrim.evaluation.harnesses import Front, vlmevalkit
    vlmevalkit.add(supported_VLM, Front("qwen3-vl", "50%", "auto"))
    runpy.run_path("run.py", run_name="__main__")

    python that_file.py --data DocVQA_VAL --model Qwen3-VL-8B-Instruct-pixtrim

Messages name pictures by file; the model gets the same messages with the files of reduced pictures. Nothing of
VLMEvalKit or the model is changed, and videos go through as they are.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, MutableMapping
from functools import partial, update_wrapper
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

from PIL import Image

from pixtrim.errors import InputError
from pixtrim.evaluation.harnesses.front import Front
from pixtrim.result import write_whole

__all__ = ["SUFFIX", "Fronted", "add"]

SUFFIX = "-pixtrim"
"""What `add` adds to the names of models."""


def add(models: MutableMapping[str, Any], front: Front, suffix: str = SUFFIX) -> list[str]:
    """Add a model with pixtrim in front of it for each model there is.

    Parameters
    ----------
    models : dict
        ``vlmeval.config.supported_VLM``: functions that make a model, by name.
    front : Front
        Reduces the pictures.
    suffix : str
        What the names of the new models end in; results are kept by these names.

    Returns
    -------
    list of str
        The new names.
    """
    added = []
    for name, make in list(models.items()):
        if name.endswith(suffix) or name + suffix in models:
            continue
        inner = make.func if isinstance(make, partial) else make
        arguments, options = (make.args, make.keywords) if isinstance(make, partial) else ((), {})
        # A partial again: run.py sets some of its keywords from the command line.
        models[name + suffix] = partial(_Maker(inner, front), *arguments, **options)
        added.append(name + suffix)
    return added


class _Maker:
    """Makes a model with a front before it, as the function makes the model."""

    def __init__(self, make: Callable[..., Any], front: Front) -> None:
        update_wrapper(self, make, updated=())
        self.make, self.front = make, front

    def __call__(self, *arguments: Any, **options: Any) -> Fronted:
        return Fronted(self.make(*arguments, **options), self.front)


class Fronted:
    """A model of VLMEvalKit, local or behind an API, with pixtrim in front of it.

    Its methods `generate` and `chat` reduce the pictures of their messages; everything else is the model's.

    Parameters
    ----------
    model : BaseModel or BaseAPI
        The model that answers.
    front : Front
        Reduces the pictures.
    folder : path, optional
        Where the reduced pictures are written, as PNG; by default a folder that goes away with this object.
    """

    def __init__(self, model: Any, front: Front, folder: str | Path | None = None) -> None:
        self.model, self.front = model, front
        self.folder = Path(mkdtemp(prefix="pixtrim-") if folder is None else folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if folder is None:
            finalize(self, rmtree, self.folder, ignore_errors=True)

    def __getattr__(self, name: str) -> Any:
        if name in ("model", "front", "folder"):  # not there yet: a copy that is being made
            raise AttributeError(name)
        return getattr(self.model, name)

    def generate(self, message: Any, *arguments: Any, **options: Any) -> Any:
        """Answer a message: a text or file, a dict with its type and value, or a list of such."""
        return self.model.generate(self._reduced(message), *arguments, **options)

    def chat(self, messages: list[dict[str, Any]], *arguments: Any, **options: Any) -> Any:
        """Answer the last of several turns: dicts with a role and a content, which is as for `generate`."""
        turns = [{**turn, "content": self._reduced(turn["content"])} for turn in messages]
        return self.model.chat(turns, *arguments, **options)

    def _reduced(self, message: Any) -> list[dict[str, Any]]:
        """Return a message as a list of dicts, as the model itself takes it apart, with other files for pictures."""
        given = [dict(part) for part in message] if _are_dicts(message) else message
        parts = self.model.preproc_content(given)
        if parts is None:
            return given  # the model says what is wrong with it
        return [{**part, "value": self._file(part["value"])} if part["type"] == "image" else part for part in parts]

    def _file(self, path: str) -> str:
        """Return the file of the reduced picture, which is made once; its own where it is within the budget."""
        try:
            data = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error}): pictures have to be files here") from None
        # The name is the content's: writers of the same file at the same time write the same.
        name = hashlib.sha256(self.front.settings.encode("utf-8") + b"\0" + data).hexdigest()
        target = self.folder / f"{name}.png"
        if target.exists():
            return str(target)
        with Image.open(io.BytesIO(data)) as picture:
            reduced = self.front.picture(picture)
            if reduced is picture:
                return path
            stream = io.BytesIO()
            reduced.save(stream, "PNG", compress_level=3)
        write_whole(target, stream.getvalue())
        return str(target)


def _are_dicts(message: Any) -> bool:
    return isinstance(message, list) and all(isinstance(part, dict) for part in message)
