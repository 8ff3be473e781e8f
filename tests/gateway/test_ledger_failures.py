"""What can go wrong with a ledger, done to real files and servers: requests go on, and nothing is left broken."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from entries import entry
from postgres import cluster

from pixtrim.errors import InputError
from pixtrim.gateway.ledger import Ledger
from pixtrim.gateway.ledger.writer import MOST_WAITING

LOG = "pixtrim.gateway.ledger"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite3"


def requests(ledger: Ledger) -> int:
    return sum(row.requests for row in ledger.summary())


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOG]


def child(code: str, *words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HEAD + code, str(Path(__file__).parent), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


HEAD = """
import sys

sys.path.insert(0, sys.argv[1])

from entries import entry
from pixtrim.gateway.ledger import Ledger
"""


# --- killed ----------------------------------------------------------------------------------------------------------

STREAM = """
with Ledger.open(sys.argv[2]) as ledger:
    for round in range(1000):
        for number in range(50):
            ledger.record(entry(number))
        assert ledger.flush(60)
        print(50 * (round + 1), flush=True)
        for number in range(400):
            ledger.record(entry(number))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_a_killed_process_leaves_a_ledger_that_is_whole_and_has_all_that_was_flushed(path: Path) -> None:
    least = 0
    for flushes in (1, 3, 6):
        process = child(STREAM, path)
        assert process.stdout is not None
        for _ in range(flushes):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)  # in the midst of the records after a flush
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with Ledger.open(str(path)) as ledger:
            found = requests(ledger)
            assert found >= least + told
            ledger.record(entry())
            assert ledger.flush(30)
            assert requests(ledger) == found + 1
        least = found + 1


# --- no room, no right, no file --------------------------------------------------------------------------------------

FULL = """
import resource, signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Ledger.open(sys.argv[2]) as ledger:
    ledger.record(entry())
    assert ledger.flush(60)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (96 * 1024, most))
    for number in range(3000):
        ledger.record(entry(number))
    assert not ledger.flush(1)
    assert ledger.failing
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert ledger.flush(60)
    assert not ledger.failing
    assert ledger.dropped == 0
    print(sum(row.requests for row in ledger.summary()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on files there")
def test_a_full_disk_stops_nothing_and_loses_nothing_once_there_is_room(path: Path) -> None:
    process = child(FULL, path)
    out, err = process.communicate()
    assert (process.returncode, out.strip()) == (0, "3001"), err
    lines = err.splitlines()  # some batch may still fit in between; the attempts in vain are not told
    assert ["nothing can be written" in line for line in lines] == [True, False] * (len(lines) // 2)
    assert 2 <= len(lines) <= 6
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


DENIED = """
import os

from pixtrim.errors import InputError

Ledger.open(sys.argv[2]).close()  # all that this needs is imported now
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
try:
    Ledger.open(sys.argv[3])
except InputError as error:
    print(error)
ledger = Ledger.open(sys.argv[3], patient=True)
ledger.record(entry())
assert not ledger.flush(0.5)
assert ledger.failing
ledger.close()
print(ledger.dropped)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
def test_a_folder_that_cannot_be_written_stops_nothing(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        process = child(DENIED, path, f"{folder}/usage.sqlite3")
        out, err = process.communicate()
        assert process.returncode == 0, err
        message, dropped = out.splitlines()
        assert message.startswith(f"ledger {folder}/usage.sqlite3: cannot be used (")
        assert "ermission denied" in message
        assert dropped == "1"
        assert os.listdir(folder) == []


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_deleted_file_is_begun_anew(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Ledger.open(str(path)) as ledger:
        ledger.record(entry())
        assert ledger.flush(30)
        shutil.rmtree(path.parent)
        ledger.record(entry(1))
        ledger.record(entry(2))
        assert ledger.flush(30)
        assert requests(ledger) == 2
        assert path.stat().st_mode & 0o777 == 0o600
        assert ledger.dropped == 0
    assert lines(caplog) == []


def test_a_damaged_file_is_refused_and_once_moved_away_begun_anew(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damaged = b"not a database, but long enough to be taken for one" * 100
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"cannot be used \(file is not a database\): mend that, or choose another"):
        Ledger.open(str(path))
    with Ledger.open(str(path), patient=True) as ledger:
        ledger.record(entry())
        assert not ledger.flush(0.5)
        assert ledger.failing
        assert path.read_bytes() == damaged
        path.rename(path.with_name("damaged"))
        assert ledger.flush(30)
        assert not ledger.failing
        assert requests(ledger) == 1
    first, second = lines(caplog)  # one line each, however many attempts there were
    assert "nothing can be written (file is not a database): requests go on" in first
    assert second == f"ledger {path}: written again; entries that were dropped: 0"


def test_a_file_that_is_damaged_in_use_stops_nothing(path: Path) -> None:
    with Ledger.open(str(path)) as ledger:
        for number in range(200):
            ledger.record(entry(number))
        assert ledger.flush(30)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with Ledger.open(str(path), patient=True) as ledger:
        ledger.record(entry())
        assert not ledger.flush(0.5)
        assert ledger.failing
        with pytest.raises(InputError, match="cannot be read"):
            ledger.summary()


def test_a_database_that_another_program_holds_is_waited_for(path: Path) -> None:
    with Ledger.open(str(path)) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(10):
            ledger.record(entry(number))
        assert not ledger.flush(0.3)
        assert requests(ledger) == 0  # who reads does not wait
        other.execute("COMMIT")
        assert ledger.flush(30)
        assert requests(ledger) == 10
        assert ledger.dropped == 0


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir()
    with caplog.at_level(logging.WARNING, LOG), Ledger.open(str(path), patient=True) as ledger:
        for number in range(MOST_WAITING + 50):
            ledger.record(entry(number % 24))
        assert ledger.dropped == 50
        path.rmdir()
        assert ledger.flush(60)
        assert requests(ledger) == MOST_WAITING
        assert ledger.dropped == 50
    assert lines(caplog)[-1] == f"ledger {path}: written again; entries that were dropped: 50"


def test_closing_gives_up_on_a_database_that_takes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir()
    ledger = Ledger.open(str(path), patient=True)
    for number in range(7):
        ledger.record(entry(number))
    ledger.close(30)
    assert ledger.dropped == 7
    assert ledger.flush(0)
    assert lines(caplog)[-1] == f"ledger {path}: closed; entries that were dropped: 7"


# --- a server --------------------------------------------------------------------------------------------------------


def test_a_server_that_goes_and_comes_back_costs_no_entry(caplog: pytest.LogCaptureFixture) -> None:
    with cluster() as server:
        server.stop()
        with Ledger.open(server.url, patient=True) as ledger:  # it may come up after the gateway
            ledger.record(entry())
            assert not ledger.flush(0.5)
            assert ledger.failing
            server.start()
            assert ledger.flush(60)
            assert requests(ledger) == 1
            server.stop()
            for number in range(20):
                ledger.record(entry(number))
            assert not ledger.flush(0.5)
            server.start()
            assert ledger.flush(60)
            assert (requests(ledger), ledger.dropped, ledger.failing) == (21, 0, False)
    assert ["nothing can be written" in line for line in lines(caplog)] == [True, False, True, False]
