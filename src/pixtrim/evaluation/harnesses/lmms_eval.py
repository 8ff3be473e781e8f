"""pixtrim in front of any model of lmms-eval (0.7).

Where both are installed, lmms-eval knows a model named ``pixtrim``, by the entry point ``lmms_eval.models``::

    lmms-eval --model pixtrim --tasks docvqa_val --model_args \
pixtrim_inner=qwen3_vl,pixtrim_model=qwen3-vl,pixtrim_budget=50%,pixtrim_operator=auto,pretrained=Qwen/Qwen3-VL-8B-Instruct

``pixtrim_inner`` names the model of lmms-eval that answers; arguments without ``pixtrim_`` are that model's own. Its
requests carry functions that fetch the pictures of a document. The front hands on copies of the requests, whose
functions reduce what they fetch; nothing of lmms-eval, the model or the task is changed. Videos are named by their
paths there, and go through as they are.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from pixtrim.errors import MissingExtraError, UsageError
from pixtrim.evaluation.harnesses.front import Front

if TYPE_CHECKING:
    Pixtrim: type[Any]

__all__ = ["Pixtrim", "manifest", "reduced_requests"]

_OWN: Final = ("_inner", "_front", "is_simple")
_LOG: Final = logging.getLogger(__name__)


def manifest() -> Any:
    """Return what lmms-eval registers: a model named ``pixtrim``; for its entry point ``lmms_eval.models``."""
    registry = _theirs("lmms_eval.models.registry_v2")
    return registry.ModelManifest("pixtrim", chat_class_path=f"{__name__}.Pixtrim")


def reduced_requests(requests: list[Any], front: Front) -> list[Any]:
    """Copy requests, so that what their functions fetch is reduced.

    Parameters
    ----------
    requests : list of lmms_eval.api.instance.Instance
        Only `arguments` of each is used: a tuple, some of whose members are functions (``doc_to_visual`` or
        ``doc_to_messages``, and ``doc_to_text`` of tasks with several rounds).
    front : Front
        Reduces the pictures.

    Returns
    -------
    list
        A copy of each request, in the same order. The requests themselves stay as they were.
    """
    return [_reduced(request, front) for request in requests]


def _reduced(request: Any, front: Front) -> Any:
    changed = copy.copy(request)
    changed.arguments = tuple(_Fetch(part, front) if callable(part) else part for part in request.arguments)
    return changed


class _Fetch:
    """A function of a task, with the pictures in its result reduced."""

    def __init__(self, fetch: Callable[..., Any], front: Front) -> None:
        self.fetch, self.front = fetch, front

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.front.within(self.fetch(*args, **kwargs))


def _theirs(module: str) -> ModuleType:
    """Import a module of lmms-eval, which no extra of pixtrim brings."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "lmms_eval":
            raise  # installed, but something that it needs is not
        raise MissingExtraError("pixtrim in front of a model of lmms-eval needs it: pip install lmms-eval") from None


def __getattr__(name: str) -> Any:
    if name == "Pixtrim":  # made when it is asked for: its base class is lmms-eval's
        return _pixtrim()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _pixtrim() -> type[Any]:
    base: Any = _theirs("lmms_eval.api.model").lmms

    class Pixtrim(base):  # type: ignore[misc]
        """A model of lmms-eval with pixtrim in front of it.

        Parameters
        ----------
        pixtrim_inner : str
            The model of lmms-eval that answers.
        pixtrim_model, pixtrim_budget, pixtrim_operator
            As `Front` takes them.
        pixtrim_simple : bool
            Take the model's older class, as ``--force_simple`` does, where there are two.
        **arguments
            The model's own.

        Raises
        ------
        UsageError
            If `pixtrim_inner` or `pixtrim_model` is missing, or `Front` knows something that is named not.
        """

        is_simple = False  # of the class, as lmms-eval asks before there is a model; instances are what theirs is

        def __init__(
            self,
            pixtrim_inner: str = "",
            pixtrim_model: str = "",
            pixtrim_budget: str | int | float = "50%",
            pixtrim_operator: str = "auto",
            pixtrim_simple: bool = False,
            **arguments: Any,
        ) -> None:
            for name, value in (("pixtrim_inner", pixtrim_inner), ("pixtrim_model", pixtrim_model)):
                if not value:
                    raise UsageError(
                        f"{name} is missing: --model_args pixtrim_inner=qwen3_vl,pixtrim_model=qwen3-vl,..."
                    )
            front = Front(str(pixtrim_model), pixtrim_budget, str(pixtrim_operator))
            models = _theirs("lmms_eval.models")
            inner = models.get_model(pixtrim_inner, force_simple=bool(pixtrim_simple))(**arguments)
            self.__dict__.update(_inner=inner, _front=front, is_simple=inner.is_simple)

        # Whatever else lmms-eval reads or sets (task_dict, cache_hook, rank, accelerator, ...) is the model's.

        def __getattr__(self, name: str) -> Any:
            if name in _OWN:  # not there yet: a copy that is being made
                raise AttributeError(name)
            return getattr(self._inner, name)

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self._inner, name, value)

        @property
        def rank(self) -> Any:
            return self._inner.rank

        @property
        def world_size(self) -> Any:
            return self._inner.world_size

        def set_cache_hook(self, cache_hook: Any) -> None:
            self._inner.set_cache_hook(cache_hook)

        def clean(self) -> None:
            _LOG.info("%s", self._front)
            self._inner.clean()

        def loglikelihood(self, requests: list[Any]) -> Any:
            return self._inner.loglikelihood(reduced_requests(requests, self._front))

        def generate_until(self, requests: list[Any]) -> Any:
            return self._inner.generate_until(reduced_requests(requests, self._front))

        def generate_until_multi_round(self, requests: list[Any]) -> Any:
            return self._inner.generate_until_multi_round(reduced_requests(requests, self._front))

        def generate_visual_cot(self, requests: list[Any]) -> Any:
            return self._inner.generate_visual_cot(reduced_requests(requests, self._front))

    Pixtrim.__module__, Pixtrim.__qualname__ = __name__, "Pixtrim"
    return Pixtrim
