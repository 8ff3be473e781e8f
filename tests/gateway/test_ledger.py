"""The ledger in real SQLite files and a real PostgreSQL: what goes in comes out, summed up, and tables move on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from entries import ENTRIES, START, by_hand, entry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import cluster
from sqlalchemy import inspect, text

from pixtrim.errors import InputError, MissingExtraError, UsageError
from pixtrim.gateway.ledger import Entry, Ledger, Row, default_path, migrations, total_of
from pixtrim.gateway.ledger.database import Database, parse_url
from pixtrim.gateway.ledger.schema import METADATA, VERSION_TABLE

VERSIONS = [script.revision for script in ScriptDirectory(str(migrations.FOLDER)).walk_revisions()][::-1]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with cluster() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/usage.sqlite3"
    return emptied(request.getfixturevalue("server"))


def emptied(server: str) -> str:
    database = Database(server)
    with database._engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    database.forget()
    return server


def numbers(row: Row) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in {"day", "model", "key_label"}}


# --- what goes in comes out ------------------------------------------------------------------------------------------


def test_what_was_recorded_is_there_when_the_ledger_is_opened_again(url: str) -> None:
    with Ledger.open(url) as ledger:
        for number in range(3):
            ledger.record(entry(12 * number, status=(200, 200, 500)[number]))
        assert ledger.flush(30)
        assert not ledger.failing
        assert ledger.dropped == 0
    with Ledger.open(url, create=False) as ledger:
        rows = ledger.summary()
    assert [(row.day, row.requests, row.failed) for row in rows] == [
        (date(2026, 11, 1), 2, 0),
        (date(2026, 11, 2), 1, 1),
    ]
    assert rows[0] == Row(
        day=date(2026, 11, 1),
        requests=2,
        images=4,
        changed=2,
        tokens_before=6000,
        tokens_after=3600,
        billed=2,
        billed_input=4200,
        billed_output=80,
        seconds=2.5,
        added_seconds=0.03125,
        usd_saved=0.0024,
    )
    assert (rows[0].saved, rows[0].share) == (2400, 0.4)
    assert numbers(rows[1]) == numbers(Row(requests=1, failed=1))
    assert rows[1].share == 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ENTRIES, max_size=30), st.lists(st.sampled_from(["day", "model", "key_label"]), unique=True))
def test_sums_are_those_worked_out_by_hand(url: str, entries: list[Entry], by: list[str]) -> None:
    with Ledger.open(url) as ledger:
        ledger.prune(date(2999, 1, 1))
        for one in entries:
            ledger.record(one)
        assert ledger.flush(30)
        rows = ledger.summary(by)
        expected = by_hand(entries, by)
        assert {tuple(getattr(row, name) for name in by): numbers(row) for row in rows} == {
            keys: pytest.approx(sums, nan_ok=False) for keys, sums in expected.items()
        }
        assert len(rows) == len(expected)
        total = by_hand(entries, ()).get((), numbers(Row()))
        assert numbers(total_of(rows)) == pytest.approx(total)
        assert rows == ledger.summary(by)


def test_rows_are_in_order_and_can_be_chosen(url: str) -> None:
    with Ledger.open(url) as ledger:
        for number in range(48):
            model, label = ("gpt-5.5", "claude-haiku-4-5", None)[number % 3], ("b", None)[number % 2]
            ledger.record(entry(number, model=model, key_label=label))
        assert ledger.flush(30)
        rows = ledger.summary(("key_label", "model"))
        keys = [(row.key_label, row.model) for row in rows]
        assert keys == [(k, m) for k in (None, "b") for m in (None, "claude-haiku-4-5", "gpt-5.5")]
        assert [row.requests for row in ledger.summary((), model="gpt-5.5")] == [16]
        assert [row.requests for row in ledger.summary((), key_label="b")] == [24]
        assert [row.requests for row in ledger.summary(since=date(2026, 11, 2))] == [24]
        assert [row.requests for row in ledger.summary(until=date(2026, 11, 2))] == [24]
        tokyo = timezone(timedelta(hours=9))
        since, until = datetime(2026, 11, 1, 14, tzinfo=tokyo), datetime(2026, 11, 1, 7, tzinfo=UTC)
        assert [row.requests for row in ledger.summary((), since=since, until=until)] == [2]
        assert ledger.summary(since=until, until=since) == []


def test_prices_can_be_the_users(tmp_path: Path) -> None:
    from pixtrim.tokens import load_prices

    (tmp_path / "prices.toml").write_text('[models."nobody-knows"]\nusd_per_million = 2.0\n')
    with Ledger.open(f"{tmp_path}/usage.sqlite3") as ledger:
        ledger.record(entry(model="nobody-knows"))
        assert ledger.flush(30)
        [row] = ledger.summary()
        assert (row.usd_saved, row.unpriced) == (None, 1200)
        [row] = ledger.summary(prices=load_prices(tmp_path / "prices.toml"))
        assert (row.usd_saved, row.unpriced) == (pytest.approx(0.0024), 0)


def test_pruning_deletes_what_is_older_and_says_how_much(url: str) -> None:
    with Ledger.open(url) as ledger:
        for number in range(10):
            ledger.record(entry(number))
        assert ledger.flush(30)
        assert ledger.prune(START + timedelta(hours=4)) == 4
        assert ledger.prune(START + timedelta(hours=4)) == 0
        assert [row.requests for row in ledger.summary()] == [6]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "x\0y" * 1000, "route": "\ud800", "key_label": ""},
        {"tokens_before": 10**30, "billed_input": -(10**30), "status": 10**12},
        {"seconds": float("nan"), "added_seconds": float("inf"), "images": True, "changed": 1.5},
    ],
)
def test_odd_values_are_written_and_keep_no_other_entry_out(url: str, changes: dict[str, Any]) -> None:
    with Ledger.open(url) as ledger:
        ledger.record(entry(**changes))
        ledger.record(entry(1))
        assert ledger.flush(30)
        assert not ledger.failing
        assert sum(row.requests for row in ledger.summary()) == 2


@pytest.mark.parametrize(
    "wrong", [None, "entry", replace(entry(), at=datetime(2026, 1, 1)), entry(route=None), entry(model=7)]
)
def test_what_is_no_entry_is_dropped_and_raises_nothing(tmp_path: Path, wrong: Any) -> None:
    with Ledger.open(f"{tmp_path}/usage.sqlite3") as ledger:
        ledger.record(wrong)
        ledger.record(entry())
        assert ledger.flush(30)
        assert (ledger.dropped, [row.requests for row in ledger.summary()]) == (1, [1])


def test_what_is_recorded_after_closing_is_dropped(tmp_path: Path) -> None:
    ledger = Ledger.open(f"{tmp_path}/usage.sqlite3")
    ledger.record(entry())
    ledger.close()
    ledger.close()
    ledger.record(entry())
    assert ledger.dropped == 1
    with Ledger.open(f"{tmp_path}/usage.sqlite3") as again:
        assert [row.requests for row in again.summary()] == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": ("week",)}, "by is 'week': choose of day, model, key_label"),
        ({"since": datetime(2026, 1, 1)}, "since: 2026-01-01 00:00:00 has no time zone: give one, or a day"),
    ],
)
def test_wrong_questions_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with Ledger.open(f"{tmp_path}/usage.sqlite3") as ledger, pytest.raises(UsageError) as caught:
        ledger.summary(**arguments)
    assert str(caught.value) == message


# --- several at once -------------------------------------------------------------------------------------------------

RECORD = textwrap.dedent(
    """
    import sys
    sys.path.insert(0, sys.argv[3])
    from entries import entry
    from pixtrim.gateway.ledger import Ledger

    with Ledger.open(sys.argv[1]) as ledger:
        for number in range(int(sys.argv[2])):
            ledger.record(entry(number % 24))
        assert ledger.flush(60)
        assert ledger.dropped == 0
    """
)


def recording(url: str, count: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", RECORD, url, str(count), str(Path(__file__).parent)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def test_two_processes_and_several_threads_make_one_ledger_and_lose_nothing(url: str) -> None:
    processes = [recording(url, 700) for _ in range(2)]
    with Ledger.open(url) as ledger:
        threads = [
            threading.Thread(target=lambda: [ledger.record(entry(number)) for number in range(24)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.flush(60)
        assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0)] * 2
        assert [row.requests for row in ledger.summary(())] == [2 * 700 + 8 * 24]
        assert ledger.dropped == 0


def test_several_threads_may_open_a_new_ledger_at_once(url: str) -> None:
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            Ledger.open(url).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# --- versions of the tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, *VERSIONS])
def test_every_earlier_version_is_brought_to_the_newest(url: str, version: str | None) -> None:
    database = Database(url)
    if version is not None:
        if database._path is not None:
            database._make_file(database._path)
        with database._engine.begin() as connection:
            migrations.upgrade(connection, version)
            assert migrations.version_of(connection) == version
    database.prepare()
    with database.connected() as connection:
        assert migrations.version_of(connection) == migrations.newest() == VERSIONS[-1]
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []  # what migrations made is what the code works with
    database.forget()


def test_a_migration_that_does_not_come_to_its_end_leaves_nothing(url: str) -> None:
    database = Database(url)
    with database._engine.connect() as connection, connection.begin() as transaction:
        migrations.upgrade(connection)
        assert migrations.version_of(connection) == migrations.newest()
        transaction.rollback()
    with database._engine.begin() as connection:
        assert inspect(connection).get_table_names() == []
    database.prepare()
    database.forget()
    with Ledger.open(url) as ledger:
        assert ledger.summary() == []


def test_a_later_version_is_refused_and_left_alone(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.record(entry())
        assert ledger.flush(30)
        with ledger._database.connected() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(
        InputError, match=r"version '9999', and the newest that this pixtrim knows is .*: upgrade pixtrim"
    ):
        Ledger.open(url)
    patient = Ledger.open(url, patient=True)
    patient.record(entry())
    assert not patient.flush(0.5)
    assert patient.failing
    patient.close()
    assert patient.dropped == 1
    database = Database(url)
    with database._engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM pixtrim_requests")).scalar() == 1
    database.forget()


def test_other_tables_of_a_shared_database_are_left_alone(url: str) -> None:
    database = Database(url)
    with database._engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
    database.forget()
    with Ledger.open(url) as ledger:
        ledger.record(entry())
        assert ledger.flush(30)
        with ledger._database.connected() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "theirs"


# --- where it is -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_the_file_can_be_read_by_its_owner_alone_and_is_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "usage.sqlite3"
    with Ledger.open(str(path)) as ledger:
        ledger.record(entry())
        assert ledger.flush(30)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes.keys() >= {"usage.sqlite3", "usage.sqlite3-wal"}
        assert set(modes.values()) == {0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o700
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the convention of Linux")
def test_the_default_is_in_the_folder_for_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "pixtrim" / "ledger.sqlite3"
    with Ledger.open() as ledger:
        assert ledger.name == str(default_path())
    assert default_path().exists()
    monkeypatch.setenv("HOME", "/home/someone")
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", unset)
        assert default_path() == Path("/home/someone/.local/share/pixtrim/ledger.sqlite3")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "give a file, sqlite:///FILE"),
        ("mysql://u:hunter2@h/d", "begins with 'mysql'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://u:hunter2@h:port/d", "is no URL: give postgresql://USER@HOST:PORT/DATABASE"),
    ],
)
def test_other_urls_are_refused_without_showing_a_password(url: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Ledger.open(url)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_password_is_not_in_the_name_of_a_ledger() -> None:
    pytest.importorskip("psycopg")
    ledger = Ledger.open("postgresql://me:hunter2@127.0.0.1:1/usage?password=hunter3", patient=True)
    assert ledger.name == "postgresql+psycopg://me:***@127.0.0.1:1/usage"
    ledger.close()
    with pytest.raises(InputError) as caught:
        Ledger.open("postgresql://me:hunter2@127.0.0.1:1/usage?password=hunter3")
    assert "refused" in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_where_the_driver_is_missing_the_pip_line_is_told() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from pixtrim.gateway.ledger import Ledger\n"
        "try:\n    Ledger.open('postgresql://h/d')\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = 'a ledger in PostgreSQL needs psycopg: pip install "pixtrim[postgres]"'
    assert answer.stdout.strip() == f"{MissingExtraError.__name__} {expected}"


def test_paths_and_urls_name_files(tmp_path: Path) -> None:
    assert parse_url("C:\\data\\usage.sqlite3").database == "C:\\data\\usage.sqlite3"
    assert parse_url("sqlite:////var/lib/usage").database == "/var/lib/usage"
    odd = tmp_path / "50% of a #1? ledger"
    with Ledger.open(str(odd)):
        assert odd.exists()
    with pytest.raises(InputError, match="there is no ledger"):
        Ledger.open(f"{tmp_path}/none", create=False)
    assert not (tmp_path / "none").exists()
