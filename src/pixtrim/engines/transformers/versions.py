"""Which versions of transformers the engine was tested with."""

from __future__ import annotations

from pixtrim.errors import UsageError, require

__all__ = ["FIRST", "LAST", "check_version"]

FIRST = (5, 18)
"""The first minor version whose models take outputs of their encoder in place of pixels."""

LAST = (5, 24)
"""The last minor version that the tests have seen."""


def check_version(version: str | None = None) -> None:
    """Refuse a version of transformers that the engine was not tested with.

    What the engine relies on has changed before without an error, and then nothing was pruned; so it does not guess.

    Parameters
    ----------
    version : str, optional
        By default that of the installed transformers.

    Raises
    ------
    MissingExtraError
        If transformers or PyTorch are not installed.
    UsageError
        If the version is older or newer than those tested.

    Examples
    --------
    >>> check_version("5.19.0")
    >>> check_version("4.57.1")
    Traceback (most recent call last):
    ...
    pixtrim.errors.UsageError: transformers is 4.57.1: the engine works with 5.18 to 5.24; \
pip install "transformers>=5.18,<5.25"
    """
    if version is None:
        require("torch", "transformers", "The transformers engine")
        version = str(require("transformers", "transformers", "The transformers engine").__version__)
    first, last = ".".join(map(str, FIRST)), ".".join(map(str, LAST))
    remedy = f'pip install "transformers>={first},<{LAST[0]}.{LAST[1] + 1}"'
    try:
        major, minor = (int(part) for part in version.split(".")[:2])
    except ValueError:
        raise UsageError(f"transformers has the version {version!r}, which is not understood: {remedy}") from None
    if not FIRST <= (major, minor) <= LAST:
        raise UsageError(f"transformers is {version}: the engine works with {first} to {last}; {remedy}")
