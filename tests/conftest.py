"""What all tests share."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

ABSENT = "not installed: make vision"

collect_ignore = ["toy_parts.py"]  # what it registers is for the tests that ask for it

# The same examples on every run and machine, and no deadline: a slow machine is not a failure.
settings.register_profile("pixtrim", derandomize=True, deadline=None)
settings.load_profile("pixtrim")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real pictures for evaluation, which are not part of the repository: a folder beside it."""
    folder = repository.parent / "shared" / "data"
    if not (folder / "manifest.csv").is_file():
        pytest.skip("the evaluation data are not beside the repository (../shared/data)")
    return folder


@pytest.fixture(scope="module")
def parts() -> Iterator[ModuleType]:
    """The module toy_parts, whose measures and operators are registered as long as it is in use."""
    from pixtrim.evaluation import measures, reducers

    before = measures.measure_names(), reducers.reducer_names()
    yield importlib.import_module("toy_parts")
    del sys.modules["toy_parts"]
    for registry, known in zip((measures._REGISTRY, reducers._REGISTRY), before, strict=True):
        for name in set(registry) - set(known):
            del registry[name]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def torch() -> Iterator[Any]:
    library = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say about one another while they load
        module = pytest.importorskip("torch", reason=f"PyTorch is {ABSENT}")
        try:
            import torchvision  # noqa: F401
        except ModuleNotFoundError:
            pass
        except RuntimeError:
            # Built for another PyTorch than this one: its compiled operators are absent, and are not needed here.
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
            library = module.library.Library("torchvision", "FRAGMENT")
            for name in ("nms", "qnms"):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield module
    del library  # the definitions live as long as this object


@pytest.fixture(scope="session")
def timm(torch: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("timm", reason=f"timm is {ABSENT}")


@pytest.fixture(scope="session")
def transformers(torch: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("transformers", reason=f"Transformers is {ABSENT}")
