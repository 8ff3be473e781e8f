"""Every error that pixtrim raises on purpose.

::

    PixtrimError
    ├── UsageError            the call is wrong: an argument, a model, a budget       exit code 2
    │   ├── UnknownModelError     no rule is known for that model's name
    │   └── MissingExtraError     the feature needs an optional dependency (also an ImportError)
    └── InputError            the picture is wrong: unreadable, too large, animated   exit code 3

A message is one line that names the input, the value, the limit and the remedy.
Anything else that escapes is a fault of pixtrim itself; the command line answers it with exit code 70.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["InputError", "MissingExtraError", "PixtrimError", "UnknownModelError", "UsageError", "require"]


class PixtrimError(Exception):
    """The root of all errors that pixtrim raises on purpose."""

    exit_code = 1


class UsageError(PixtrimError, ValueError):
    """An argument is out of its range, of the wrong type, or does not fit the others."""

    exit_code = 2


class UnknownModelError(UsageError):
    """No token rule is known under the model's name; the message suggests the nearest names."""


class MissingExtraError(UsageError, ImportError):
    """An optional dependency is not installed; the message is the pip line that installs it."""


class InputError(PixtrimError, ValueError):
    """The picture or file cannot be used: unreadable, damaged, animated, or over a limit."""

    exit_code = 3


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency, or answer with the pip line that installs it.

    Parameters
    ----------
    module : str
        The module to import, for example ``"pypdfium2"``.
    extra : str
        The extra of pixtrim that brings it, for example ``"pdf"``.
    purpose : str
        What it is needed for, as the start of the message.

    Raises
    ------
    MissingExtraError
        If the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise  # installed, but itself broken: its own error says more
        raise MissingExtraError(f'{purpose} needs {module}: pip install "pixtrim[{extra}]"') from None
