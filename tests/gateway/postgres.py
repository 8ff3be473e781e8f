"""A PostgreSQL of the tests' own, on a Unix socket, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = "postgres"


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@dataclass(frozen=True)
class Server:
    url: str
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def cluster() -> Iterator[Server]:
    """Start a server; skip the test where there is none to start."""
    pytest.importorskip("psycopg")
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed")
    as_user = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # it refuses to run as root
        if shutil.which("runuser") is None or not _exists(USER):
            pytest.skip(f"PostgreSQL does not run as root, and there is no user {USER} to run it")
        as_user = ["runuser", "-u", USER, "--"]
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as home:  # a socket's path has 107 bytes at most
        if as_user:
            shutil.chown(home, USER)
        data = Path(home) / "data"

        def run(program: str, *words: str) -> None:
            command = [*as_user, str(folder / program), "-D", str(data), *words]
            subprocess.run(command, check=True, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

        def start() -> None:
            options = f"-k {home} -c listen_addresses= -c fsync=off -c timezone=Asia/Tokyo"
            run("pg_ctl", "-w", "-s", "-l", f"{home}/log", "-o", options, "start")

        def stop() -> None:
            run("pg_ctl", "-w", "-s", "-m", "immediate", "stop")

        run("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        start()
        try:
            yield Server(f"postgresql://tester@/postgres?host={home}", start, stop)
        finally:
            stop()


def _exists(user: str) -> bool:
    import pwd

    return any(entry.pw_name == user for entry in pwd.getpwall())
