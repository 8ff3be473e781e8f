"""`pixtrim ledger` as people use it: a table, JSON, CSV, what is deleted, what is refused."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from entries import by_hand, entry

from pixtrim.cli import main
from pixtrim.gateway.ledger import Ledger

ENTRIES = [
    entry(0),
    entry(1, model="gpt-5.5", key_label=None, billed_input=None, billed_output=None),
    entry(30, model="nobody\nknows", key_label='=2+3,"x"'),
    entry(31, status=500),
    entry(55, model=None),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = f"{tmp_path}/usage.sqlite3"
    with Ledger.open(path) as ledger:
        for one in ENTRIES:
            ledger.record(one)
        assert ledger.flush(30)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["ledger", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_table_by_day_with_a_total(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--url", path)
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["day", "requests", "images", "before", "saved", "share", "USD", "billed", "in"],
        ["2026-11-01", "2", "4", "6000", "2400", "40.0%", "0.0072", "2100"],
        ["2026-11-02", "2", "2", "3000", "1200", "40.0%", "-", "2100"],
        ["2026-11-03", "1", "2", "3000", "1200", "40.0%", "-", "2100"],
        ["total", "5", "8", "12000", "4800", "40.0%", "0.0072", "6300"],
    ]


def test_a_table_by_several_keys_keeps_to_its_lines(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--url", path, "--by", "model,key")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:3] == ["model", "key", "requests"]
    assert len(lines) == 6
    assert "nobody\\nknows" in out
    assert lines[-1].split()[:2] == ["total", "5"]


def test_json_has_all_sums_and_the_total_last(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--url", path, "--by", "day,model,key", "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [record.pop("total") for record in records] == [False] * 5 + [True]
    assert {record.pop("schema") for record in records} == {1}
    expected = {
        (str(day), *rest): sums for (day, *rest), sums in by_hand(ENTRIES, ("day", "model", "key_label")).items()
    }
    expected[(None, None, None)] = by_hand(ENTRIES, ())[()]
    assert len(records) == len(expected)
    for record in records:
        keys = tuple(record.pop(name) for name in ("day", "model", "key_label"))
        saved, before = record.pop("saved"), record["tokens_before"]
        assert saved == before - record["tokens_after"]
        assert record.pop("share") == pytest.approx(saved / before if before else 0, abs=1e-6)
        assert record == pytest.approx(expected[keys], abs=1e-6)


def test_csv_is_read_back_as_it_was(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--url", path, "--by", "key", "--csv")
    records = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [record["key_label"] for record in records] == ["", '=2+3,"x"', "ci"]
    assert [record["requests"] for record in records] == ["1", "1", "3"]
    assert records[0]["billed_input"] == ""
    json_names = json.loads(run(capsys, "--url", path, "--json")[1].splitlines()[0]).keys()
    assert list(records[0]) == [name for name in json_names if name not in {"schema", "total"}]


@pytest.mark.parametrize(
    ("words", "requests"),
    [
        (("--since", "2026-11-02"), 3),
        (("--until", "2026-11-02"), 4),
        (("--since", "2026-11-02", "--until", "2026-11-02"), 2),
        (("--model", "gpt-5.5"), 1),
        (("--key", "ci"), 3),
        (("--key", "nobody"), 0),
    ],
)
def test_what_is_shown_can_be_chosen(
    path: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], requests: int
) -> None:
    code, out, _ = run(capsys, "--url", path, "--json", *words)
    assert code == 0
    assert json.loads(out.splitlines()[-1])["requests"] == requests


def test_prices_of_the_users_own(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.toml").write_text('[models."nobody\\nknows"]\nusd_per_million = 10.0\n')
    words = ("--url", path, "--json", "--prices", f"{tmp_path}/prices.toml")
    total = json.loads(run(capsys, *words)[1].splitlines()[-1])
    assert (total["usd_saved"], total["unpriced"]) == (pytest.approx(0.0192), 1200)


def test_pruning_says_how_many_are_gone(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--url", path, "--prune-before", "2026-11-02")
    assert (code, out) == (0, f"{path}: deleted 2 entries from before 2026-11-02\n")
    code, out, _ = run(capsys, "--url", path, "--prune-before", "2026-11-03", "--json")
    assert (code, json.loads(out)) == (0, {"schema": 1, "ledger": path, "before": "2026-11-03", "deleted": 2})
    assert json.loads(run(capsys, "--url", path, "--json")[1].splitlines()[-1])["requests"] == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--by", "week"), 2, "'week' is not understood: give one or several of day, model, key, as day,model"),
        (("--by", ""), 2, "'' is not understood"),
        (("--since", "2026-13-01"), 2, "'2026-13-01' is not a day from 1970 to 2999, as 2026-11-01"),
        (("--until", "20261101"), 2, "'20261101' is not a day"),
        (("--since", "9999-12-31"), 2, "'9999-12-31' is not a day from 1970 to 2999"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), 2, "--since 2026-11-02 is after --until 2026-11-01"),
        (("--prune-before", "2026-11-02", "--model", "m"), 2, "deletes entries of every kind: leave out --model"),
        (("--prune-before", "2026-11-02", "--csv"), 2, "leave out --csv"),
        (("--json", "--csv"), 2, "not allowed with argument"),
        (("--url", "mysql://h/d"), 2, "begins with 'mysql'"),
        (("--prices", "/nowhere.toml"), 2, "/nowhere.toml"),
        (("--url", "/nowhere/usage.sqlite3"), 3, "/nowhere/usage.sqlite3: there is no ledger"),
        (("--url", __file__), 3, "cannot be used (file is not a database)"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_changes_nothing(
    path: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = run(capsys, *(() if "--url" in words else ("--url", path)), *words)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert json.loads(run(capsys, "--url", path, "--json")[1].splitlines()[-1])["requests"] == len(ENTRIES)


def test_without_the_extra_the_pip_line_is_told_and_help_needs_none(path: str) -> None:
    code = "import sys; sys.modules['sqlalchemy'] = None; from pixtrim.cli import main; sys.exit(main(sys.argv[1:]))"
    answer = subprocess.run([sys.executable, "-c", code, "ledger", "--url", path], capture_output=True, text=True)
    assert answer.returncode == 2
    assert answer.stderr == 'pixtrim: error: pixtrim ledger needs sqlalchemy: pip install "pixtrim[gateway]"\n'
    answer = subprocess.run([sys.executable, "-c", code, "ledger", "--help"], capture_output=True, text=True)
    assert answer.returncode == 0
    assert "pixtrim ledger --by day,model --since 2026-11-01 --until 2026-11-30" in answer.stdout
