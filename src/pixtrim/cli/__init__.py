"""The command line: parse, call, print, and one of the exit codes below.

====  ==============================================================================================
0     everything went well
2     wrong usage: nothing was done, or a picture does not fit what was asked of it
3     a picture could not be used, or a result not be written; the other pictures were worked on
70    a fault of pixtrim itself
130   interrupted by Ctrl-C; finished results stay, half a result is never written
141   whoever read the output stopped reading
====  ==============================================================================================
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from pixtrim.cli.arguments import parse
from pixtrim.cli.show import BROKEN_PIPE, INPUT, INTERNAL, INTERRUPTED, complain, fault
from pixtrim.errors import PixtrimError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        The exit code, see the table above.

    Raises
    ------
    SystemExit
        With code 0, after ``--help`` and ``--version``.

    Examples
    --------
    >>> main(["tokens", "--model", "claude-sonnet-4-5", "--size", "1920x1080"])
    model              detail  size       tokens  seen      USD      mark
    claude-sonnet-4-5  -       1920x1080  1560    1456x819  0.00468  D
    0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parse(words)
        code: int = arguments.run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except PixtrimError as error:
        complain(str(error))
        return error.exit_code
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except OSError as error:
        complain(f"{os.fsdecode(error.filename or 'stdout')}: {error.strerror or error}")
        _forget_stdout()
        return INPUT
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        complain(fault(error), error if "--debug" in words else None)
        return INTERNAL


def _forget_stdout() -> None:
    """Keep Python from flushing into a stdout that is broken or full once more at its exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
