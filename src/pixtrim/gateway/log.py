"""The gateway's log: a line of JSON for each request, without keys, queries or images."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO

__all__ = ["KeyLabels", "Log", "where"]

_IN_QUERY: Final = re.compile(rb"(?:^|&)key=([^&]*)")
_HEADERS: Final = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")


class Log:
    """Lines of JSON; any thread may write them.

    Parameters
    ----------
    out : text file, optional
        By default stderr. One that is closed or full is written to in vain.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stderr
        self._lock = threading.Lock()

    def write(self, level: str, event: str, **facts: Any) -> None:
        """Write a line; facts that are None are left out."""
        line = {"time": _now(), "level": level, "event": event}
        line.update((name, value) for name, value in facts.items() if value is not None)
        text = json.dumps(line, separators=(",", ":"))
        try:
            with self._lock:
                self._out.write(text + "\n")
                self._out.flush()
        except (OSError, ValueError):  # nobody reads it, which is no reason to fail a request
            return

    def warn(self, message: str) -> None:
        """Write what went wrong beside a request."""
        self.write("warning", "warning", message=message)


def _now() -> str:
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def where(error: BaseException) -> str:
    """Say where an error was raised; its message, which may hold what was sent, is for no log.

    Examples
    --------
    >>> try:
    ...     json.loads("secret")
    ... except ValueError as error:
    ...     where(error).split(":")[0]
    'decoder.py'
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


class KeyLabels:
    """Names for the keys that requests come with, from which no key can be found.

    Parameters
    ----------
    known : mapping of str to str
        Labels by the SHA-256 of keys. Other keys are named by a short digest with a salt that lives as long as the
        process.

    Examples
    --------
    >>> labels = KeyLabels({hashlib.sha256(b"secret").hexdigest(): "team-a"})
    >>> labels.label([(b"authorization", b"Bearer secret")], b""), labels.label([], b"")
    ('team-a', None)
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known, self._salt = dict(known), secrets.token_bytes(16)

    def label(self, headers: list[tuple[bytes, bytes]], query: bytes) -> str | None:
        """Name the key of a request; None where it has none."""
        found = {name: value for name, value in headers if name in _HEADERS}
        key = next((found[name] for name in _HEADERS if name in found), None)
        if key is None:
            match = _IN_QUERY.search(query)
            key = match[1] if match else None
        if not key:
            return None
        key = key[7:] if key[:7].lower() == b"bearer " else key
        if self._known:
            label = self._known.get(hashlib.sha256(key).hexdigest())
            if label is not None:
                return label
        return "key-" + hashlib.sha256(self._salt + key).hexdigest()[:8]
