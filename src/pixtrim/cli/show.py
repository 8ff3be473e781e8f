"""Everything that is printed: safe lines, JSON Lines, tables, the progress bar, complaints and exit codes."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, TextIO

__all__ = [
    "BROKEN_PIPE",
    "INPUT",
    "INTERNAL",
    "INTERRUPTED",
    "SCHEMA",
    "USAGE",
    "complain",
    "fault",
    "json_line",
    "json_text",
    "one_line",
    "progress",
    "table",
    "usd",
    "warn",
    "write",
]

USAGE, INPUT, INTERNAL, INTERRUPTED, BROKEN_PIPE = 2, 3, 70, 130, 141

SCHEMA = 1
"""Version of the JSON that the commands print: see docs/json.md."""

Row = Sequence[str]


def one_line(text: str) -> str:
    r"""Escape whatever would leave the line, steer a terminal, or not be encoded.

    Examples
    --------
    >>> print(one_line("a\nb\x1b[31m\udcff"))
    a\nb\x1b[31m\udcff
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def write(text: str, stream: TextIO | None = None) -> None:
    """Write a line to a stream, stdout by default; what its encoding lacks is escaped, and a closed one is left."""
    stream = sys.stdout if stream is None else stream
    if stream is not None:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def complain(message: str, error: BaseException | None = None) -> None:
    """Write an error to stderr, in one line; with `error`, its traceback follows."""
    _to_stderr(f"pixtrim: error: {one_line(message)}")
    for part in traceback.format_exception(error) if error is not None else ():
        for line in part.splitlines():
            _to_stderr(one_line(line))


def warn(message: str) -> None:
    """Write a warning to stderr, in one line."""
    _to_stderr(f"pixtrim: warning: {one_line(message)}")


def _to_stderr(line: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError):  # nobody listens: there is nowhere to complain
            write(line, sys.stderr)


def fault(error: BaseException) -> str:
    """Describe an error that pixtrim did not foresee."""
    return f"{type(error).__name__}: {error} (this is a fault of pixtrim: please report it, with the output of --debug)"


def json_line(record: Mapping[str, Any]) -> None:
    r"""Print one object as one line of ASCII; bytes of a file name that are no text become ``\xNN``."""
    write(json_text(record))
    if sys.stdout is not None:
        sys.stdout.flush()  # whoever reads may act on it while the next picture is worked on


def json_text(value: Any, indent: int | None = None) -> str:
    """Return JSON in ASCII, on one line unless it is to be indented."""
    return json.dumps(_valid(value), allow_nan=False, indent=indent)


def _valid(value: Any) -> Any:
    """Replace lone surrogates, which stand for undecodable bytes of a name and which strict JSON readers refuse."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if _lone(value) else value
    if isinstance(value, Mapping):
        return {key: _valid(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(item) for item in value]
    return value


def _lone(text: str) -> bool:
    return any("\udc80" <= c <= "\udcff" for c in text)


def usd(amount: float | None) -> str:
    """Write US dollars with as many digits as a single picture needs; ``-`` where the price is not known.

    Examples
    --------
    >>> usd(0.00468), usd(12.5), usd(0), usd(None)
    ('0.00468', '12.5', '0', '-')
    """
    return "-" if amount is None else f"{amount:.6f}".rstrip("0").rstrip(".")


# --- tables and progress -------------------------------------------------------------------------------------------


def table(header: Row, rows: Sequence[Row], stream: TextIO | None = None, total: Row | None = None) -> None:
    """Print a table: drawn by rich on a terminal where it is installed, else in plain columns."""
    stream = sys.stdout if stream is None else stream
    if stream is None:
        return
    cells = [[one_line(cell) for cell in row] for row in ([header], rows, [total] if total else []) for row in row]
    if stream.isatty() and find_spec("rich") is not None:
        _rich_table(cells, stream, footer=total is not None)
        return
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), stream)


def _rich_table(cells: list[list[str]], stream: TextIO, footer: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # never markup: a file may be called [red]

    drawn = Table(box=SIMPLE_HEAD, show_footer=footer, pad_edge=False)
    last = cells.pop() if footer else [""] * len(cells[0])
    for place, (title, foot) in enumerate(zip(cells[0], last, strict=True)):
        drawn.add_column(Text(title), Text(foot), overflow="fold", no_wrap=place > 0, min_width=len(title))
    for row in cells[1:]:
        drawn.add_row(*map(Text, row))
    Console(file=stream).print(drawn)


@contextmanager
def progress(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    """Show on stderr, if it is a terminal, how many of `total` pictures are done; yields what counts one more."""
    stream = sys.stderr
    if not shown or total < 2 or stream is None or not stream.isatty():
        yield lambda: None
    elif find_spec("rich") is not None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(file=stream)
        with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
            task = bar.add_task("", total=total)
            yield lambda: bar.advance(task)
    else:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            stream.write(f"\r{done}/{total}")
            stream.flush()

        try:
            yield count
        finally:
            stream.write("\r" + " " * (2 * len(str(total)) + 1) + "\r")
