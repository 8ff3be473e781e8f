"""Which operators, measures and checks there are: what comes with pixtrim, and what others put beside it."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from pixtrim.errors import UsageError

__all__ = ["MEASURES", "load_measures", "load_plugin"]

MEASURES: Final = ("text", "screen", "vision", "fidelity", "answers")
"""Modules of `pixtrim.evaluation.measures` that register measures."""


def load_measures() -> list[str]:
    """Import the measures that come with pixtrim; return the names of their modules."""
    names = [f"{__package__}.measures.{name}" for name in MEASURES]
    for name in names:
        import_module(name)
    return names


def load_plugin(name: str) -> str:
    """Import somebody's own operators and measures, which register themselves.

    Parameters
    ----------
    name : str
        A module that can be imported, or the path of one, which ends in .py.

    Returns
    -------
    str
        The name by which other processes can import it as well: the folder of a file is searched from now on.

    Raises
    ------
    UsageError
        If it cannot be imported.
    """
    path = Path(name) if name.endswith(".py") else None
    module = name
    if path is not None:
        if not path.is_file():
            raise UsageError(f"the plugin {name} is not there: give a module's name, or a file that ends in .py")
        folder, module = str(path.resolve().parent), path.stem
        if folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        imported = import_module(module)
    except UsageError as error:
        raise UsageError(f"the plugin {name}: {error}") from error
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"the plugin {name} cannot be imported ({why})") from error
    if path is not None and not _same(getattr(imported, "__file__", None), path):
        raise UsageError(f"the plugin {name} has the name of another module: give the file another name")
    return module


def _same(file: str | None, path: Path) -> bool:
    return file is not None and Path(file).resolve() == path.resolve()
