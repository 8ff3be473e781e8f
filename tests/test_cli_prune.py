"""`pixtrim prune` as people use it."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixtrim import KeepPlan, Session, prune
from pixtrim.cli import main
from pixtrim.cli.inputs import Input
from pixtrim.cli.prune import METRICS, SELECTORS, Job, Task, do
from pixtrim.cli.sequences import natural
from pixtrim.operators.prune import METRICS as ALL_METRICS
from pixtrim.operators.prune import selectors
from pixtrim.pruning import Settings, fitted
from pixtrim.tokens import models

Pixels = NDArray[np.uint8]


def pixtrim(
    *words: str, cwd: Path, stdin: bytes | None = None, limit: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command; `limit` is the largest file, in bytes, that it may write."""

    def before() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails like a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "pixtrim", "prune", *words]
    feed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(command, cwd=cwd, capture_output=True, preexec_fn=before, timeout=120, check=False, **feed)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["prune", *words])
    out, err = capsys.readouterr()
    return code, out, err


def records(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[dict[str, Any]]:
    found, out, _ = shown(capsys, *words, "--json")
    assert found == code
    return [json.loads(line) for line in out.splitlines()]


def screen(step: int = 0, width: int = 512, height: int = 384) -> Pixels:
    """A page with lines of noise, and one word that depends on the step; sizes that the model takes as they are."""
    pixels = np.full((height, width, 3), 250, np.uint8)
    rng = np.random.default_rng(7)
    for y in range(40, height - 40, 64):
        pixels[y : y + 12, 50 : width - 150] = rng.integers(0, 256, (12, width - 200, 3), np.uint8)
    pixels[100:110, width - 100 : width - 60] = np.random.default_rng(step).integers(0, 256, (10, 40, 3), np.uint8)
    return pixels


def save(pixels: Pixels, name: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(name)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two pictures in it, and a session in a folder below."""
    monkeypatch.chdir(tmp_path)
    save(screen(1), "a.png")
    save(screen(2, 400, 300), "b.png")
    for step in (1, 2, 9, 10, 11):
        save(screen(step), f"shots/step{step}.png")
    return tmp_path


def names(folder: str = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


# --- one picture ---------------------------------------------------------------------------------------------------


def test_a_picture_alone_is_counted_and_nothing_is_written(here: Path) -> None:
    answer = pixtrim("a.png", cwd=here)
    plan = prune("a.png")
    assert (answer.returncode, answer.stderr) == (0, b"")
    header, row = answer.stdout.decode().splitlines()
    assert header.split() == ["input", "grid", "tokens", "kept", "share", "seconds"]
    assert row.split()[:5] == ["a.png", "16x12", "192", str(plan.kept), f"{100 * plan.kept / 192:.1f}%"]
    assert names() == ["a.png", "b.png", "shots"]


def test_the_plan_that_is_written_decodes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records(capsys, "b.png", "-o", "plans", "--indices")
    assert record["plan"] == "plans/b.pixtrim.plan"
    plan = KeepPlan.from_bytes(Path(record["plan"]).read_bytes())
    _, pixels = fitted("b.png", "qwen3-vl")
    assert plan == prune("b.png")
    assert np.array_equal(plan.decode(plan.take(pixels)), pixels)
    assert record["keep_indices"] == plan.indices.tolist()
    assert (record["kept"], record["tokens"], record["bound"]) == (plan.kept, plan.tokens, 0)
    assert (record["width"], record["height"]) == (400, 300)
    assert (record["fitted_width"], record["fitted_height"]) == (pixels.shape[1], pixels.shape[0])


def test_stdin_is_a_picture(here: Path) -> None:
    answer = pixtrim("-", "--json", "-o", "out", cwd=here, stdin=Path("a.png").read_bytes())
    record = json.loads(answer.stdout)
    assert (answer.returncode, record["input"], record["plan"]) == (0, "-", "out/stdin.pixtrim.plan")
    assert KeepPlan.from_bytes(Path("out/stdin.pixtrim.plan").read_bytes()) == prune("a.png")
    bad = pixtrim("-", cwd=here, stdin=b"nothing")
    assert (bad.returncode, bad.stdout, bad.stderr.count(b"\n")) == (3, b"", 1)


def test_the_settings_reach_the_selector(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--selector", "serpentine", "--metric", "mae", "--threshold", "3.5", "--sliding", "--fit", "pad")
    wanted = {"selector": "serpentine", "metric": "mae", "threshold": 3.5, "anchored": False, "fit": "pad"}
    (record,) = records(capsys, "b.png", *words)
    assert {name: record[name] for name in wanted} == wanted
    assert record["kept"] == prune("b.png", **wanted).kept
    assert record["tokens_resized"] == prune("b.png").tokens


def test_a_threshold_of_the_paper_is_in_units_of_255(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, levels in (("0.01", 2.55), ("0", 0), ("1", 255), ("0.2", 51)):
        assert records(capsys, "a.png", "--threshold-unit", text)[0]["threshold"] == levels
    assert "not allowed with" in shown(capsys, "a.png", "-t", "1", "--threshold-unit", "0.1")[2]


def test_other_models_have_other_grids(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records(capsys, "b.png", "-m", "Qwen/Qwen2.5-VL-7B-Instruct")
    assert record["model"] == "qwen2.5-vl"
    assert (record["fitted_width"] % 28, record["fitted_height"] % 28) == (0, 0)


def test_what_bounds_nothing_is_warned_of(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shown(capsys, "a.png", "--selector", "random", "--seed", "5")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("pixtrim: warning: a.png: ")
    (record,) = records(capsys, "a.png", "--selector", "random", "--seed", "5")
    assert (record["bound"], len(record["warnings"])) == (None, 1)
    assert records(capsys, "a.png", "--selector", "conncomp", "--skip-ratio", "0")[0]["ratio"] == 1


# --- previews ------------------------------------------------------------------------------------------------------


def test_a_preview_lies_beside_the_picture_or_where_it_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert records(capsys, "a.png", "--preview")[0]["preview"] == "a.preview.png"
    assert records(capsys, "a.png", "--preview", "look.jpg")[0]["preview"] == "look.jpg"
    assert records(capsys, "shots/step1.png", "--preview", "p/")[0]["preview"] == "p/step1.preview.png"
    for name, kind in (("a.preview.png", "PNG"), ("look.jpg", "JPEG"), ("p/step1.preview.png", "PNG")):
        with Image.open(name) as picture:
            assert picture.format == kind
            assert picture.width >= 512


def test_previews_of_many_go_to_a_folder_that_is_not_searched(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (".", "-r", "--preview", "look", "-o", "look")
    first = records(capsys, *words)
    assert sorted(record["preview"] for record in first)[:2] == ["look/a.preview.png", "look/b.preview.png"]
    assert Path("look/shots/step10.preview.png").is_file()
    assert Path("look/shots/step10.pixtrim.plan").is_file()
    assert [r["input"] for r in records(capsys, *words, "--overwrite")] == [r["input"] for r in first]


# --- sequences and references --------------------------------------------------------------------------------------


def test_numbers_in_names_go_by_their_value() -> None:
    ordered = ["", "a/1.png", "a/9.png", "a/010.png", "a/10x.png", f"a/{'9' * 5000}.png", "a/b2/1.png", "a-b/1.png"]
    assert sorted(ordered[3:] + ordered[:3], key=natural) == ordered


def test_a_folder_is_a_sequence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "shots", "--sequence", "-o", "plans")
    order = [f"shots/step{step}.png" for step in (1, 2, 9, 10, 11)]
    assert [record["input"] for record in found] == order
    assert [record["key"] for record in found] == [True, False, False, False, False]
    assert [record["reference"] for record in found] == [None, *order[:-1]]
    assert max(record["kept"] for record in found[1:]) <= 4
    session, canvas = Session(), None
    for record in found:
        plan = KeepPlan.from_bytes(Path(record["plan"]).read_bytes())
        assert plan == session.add(record["input"])
        _, pixels = fitted(record["input"], "qwen3-vl")
        canvas = plan.decode(plan.take(pixels), canvas)
        assert np.array_equal(canvas, pixels)


def test_every_nth_picture_may_be_a_key(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "shots", "--sequence", "--key-every", "2")
    assert [record["key"] for record in found] == [True, False, True, False, True]
    assert all(record["key"] for record in records(capsys, "shots", "--sequence", "--refresh", "0"))


def test_folders_are_sequences_of_their_own_and_named_files_another(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (1, 2):
        save(screen(step, 448, 320), f"other/step{step}.png")
    found = records(capsys, "shots/step2.png", "other", "shots/step1.png", "shots", "--sequence")
    assert [(record["input"], record["reference"]) for record in found[:4]] == [
        ("shots/step2.png", None),
        ("other/step1.png", None),
        ("other/step2.png", "other/step1.png"),
        ("shots/step1.png", "shots/step2.png"),
    ]
    assert [record["reference"] is None for record in found[4:]] == [True, False, False, False, False]
    deep = records(capsys, ".", "-r", "--sequence")
    assert [record["input"] for record in deep if record["reference"] is None][-2:] == [
        "./other/step1.png",
        "./shots/step1.png",
    ]


@pytest.mark.parametrize("workers", ["1", "2", "5"])
def test_a_sequence_does_not_depend_on_workers_and_survives_bad_pictures(
    here: Path, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    Path("shots/step0.png").write_bytes(b"no picture")
    Path("shots/step5.png").write_bytes(b"neither")
    Image.new("L", (4000, 2)).save("shots/step9b.png")
    found = records(capsys, "shots", "gone", "--sequence", "--workers", workers, code=3)
    assert [record.get("exit_code", record.get("reference")) for record in found] == [
        3,
        None,
        "shots/step1.png",
        3,
        "shots/step2.png",
        3,
        "shots/step9.png",
        "shots/step10.png",
        3,
    ]
    assert found[5]["error"].startswith("shots/step9b.png: ")


def test_a_reference_is_for_every_picture(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "shots/step1.png", "shots/step2.png", "--reference", "a.png")
    assert [record["kept"] for record in found] == [
        prune(name, reference="a.png").kept for name in ("shots/step1.png", "shots/step2.png")
    ]
    assert [record["reference"] for record in found] == ["a.png", "a.png"]
    assert [record["key"] for record in found] == [False, False]
    blank = np.zeros_like(screen())
    save(blank, "blank.png")
    (record,) = records(capsys, "blank.png", "--reference", "a.png")
    assert (record["key"], record["reference"], record["kept"]) == (True, None, 1)


def test_a_bad_reference_stops_before_any_work(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.png").write_bytes(b"no picture")
    for name in ("bad.png", "gone.png"):
        code, out, err = shown(capsys, "a.png", "--reference", name, "-o", "out", "--json")
        assert (code, out, err.count("\n")) == (3, "", 1)
        assert err.startswith(f"pixtrim: error: {name}: ")
    assert not Path("out").exists()


# --- what goes wrong -----------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one line with which a command line is refused before any work."""
    before = sorted(Path().rglob("*"))
    code, out, err = shown(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("pixtrim: error: ")
    assert err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before
    return err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "INPUT"),
        (["a.png", "-m", "gpt-5.5"], "qwen3-vl"),
        (["a.png", "-m", "qwen3-vll"], "qwen3-vl"),
        (["a.png", "-t", "256"], "0 to 255"),
        (["a.png", "-t", "-1"], "0 to 255"),
        (["a.png", "-t", "nan"], "0 to 255"),
        (["a.png", "-t", "2px"], "'2px'"),
        (["a.png", "--threshold-unit", "2"], "0 to 1"),
        (["a.png", "--metric", "psnr"], "psnr"),
        (["a.png", "--metric", "exact", "-t", "2"], "exact"),
        (["a.png", "--selector", "best"], "pred_2d"),
        (["a.png", "--selector", "unique", "--sliding", "-t", "2"], "anchored"),
        (["a.png", "--anchored", "--sliding"], "not allowed"),
        (["a.png", "--fit", "crop"], "crop"),
        (["a.png", "--seed", "-3"], "seed"),
        (["a.png", "--skip-ratio", "1.5", "--selector", "conncomp"], "0 to 1"),
        (["a.png", "--skip-ratio", "0.5"], "conncomp"),
        (["a.png", "--reference", "b.png", "--sequence"], "contradict"),
        (["a.png", "--key-every", "3"], "--sequence"),
        (["a.png", "--refresh", "0.5"], "--sequence"),
        (["shots", "--sequence", "--key-every", "0"], "key-every"),
        (["a.png", "--indices"], "--json"),
        (["a.png", "-o", "b.png"], "folder"),
        (["a.png", "-o", ""], "folder"),
        (["a.png", "--preview", "x.txt"], "--preview"),
        (["a.png", "b.png", "--preview", "a.png"], "folder"),
        (["a.png", "--preview", "./a.png"], "never overwritten"),
        (["a.png", "--reference", "b.png", "--preview", "b.png"], "never overwritten"),
        (["a.png", "./a.png", "-o", "out"], "both"),
        (["-", "-"], "more than once"),
        (["a.png", "--workers", "0"], "workers"),
    ],
)
def test_wrong_usage_stops_before_any_work(
    here: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], says: str
) -> None:
    assert says in refused(capsys, *words)


def test_models_without_a_grid_are_refused_with_those_that_have_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = refused(capsys, "a.png", "-m", "claude-opus-4-7")
    assert all(rule.name in says for rule in models() if rule.grid is not None)


def test_results_are_not_replaced_without_leave(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("plans").mkdir()
    Path("plans/a.pixtrim.plan").write_bytes(b"precious")
    assert "--overwrite" in refused(capsys, "a.png", "-o", "plans")
    assert shown(capsys, "a.png", "-o", "plans", "--overwrite")[0] == 0
    assert KeepPlan.from_bytes(Path("plans/a.pixtrim.plan").read_bytes()).tokens == 192
    Path("one.plan").write_bytes(b"named, so it may go")
    assert records(capsys, "a.png", "-o", "one.plan")[0]["plan"] == "one.plan"
    assert KeepPlan.from_bytes(Path("one.plan").read_bytes()).tokens == 192


def test_one_bad_picture_does_not_stop_the_others(here: Path) -> None:
    Path("bad.png").write_bytes(Path("a.png").read_bytes()[:500])
    Image.new("L", (4000, 2)).save("long.png")
    answer = pixtrim("a.png", "bad.png", "gone.png", "long.png", "b.png", "--json", "-o", "out", cwd=here)
    assert answer.returncode == 3
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [record.get("exit_code") for record in found] == [None, 3, 3, 3, None]
    errors = answer.stderr.decode().splitlines()
    assert [line.split(": ")[2] for line in errors] == ["bad.png", "gone.png", "long.png"]
    assert names("out") == ["a.pixtrim.plan", "b.pixtrim.plan"]


def test_a_picture_that_cannot_be_padded_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (5000, 5000)).save("large.png")
    code, out, err = shown(capsys, "large.png", "a.png", "--fit", "pad")
    assert code == 2
    assert err.startswith("pixtrim: error: large.png: ")
    assert out.splitlines()[-1].startswith("1 of 2, 1 failed")


def test_a_full_disk_leaves_no_half_of_a_file(here: Path) -> None:
    assert pixtrim("a.png", "-o", "b.png/x", cwd=here).stderr.startswith(b"pixtrim: error: b.png/x/a.pixtrim.plan: ")
    answer = pixtrim("a.png", "-o", "out", "--preview", "out/", cwd=here, limit=400)
    assert answer.returncode == 3
    assert answer.stderr.startswith(b"pixtrim: error: out/a.preview.png: ")
    assert answer.stderr.count(b"\n") == 1
    assert names("out") == ["a.pixtrim.plan"]


def test_a_fault_of_ours_stops_nothing(here: Path) -> None:
    broken: Any = None
    task = Task("qwen3-vl", "resize", broken, 150, 10**8, False)
    job = Job(Input("a.png", "a"))
    outcome = do(job, task)
    assert (outcome.code, job.turn.done.is_set()) == (70, True)
    assert outcome.error.startswith("a.png: AttributeError")


def test_quiet_says_nothing_but_errors(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "a.png", "--selector", "random", "-q") == (0, "", "")
    assert shown(capsys, "gone.png", "-q")[2].count("\n") == 1


def test_the_table_adds_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shown(capsys, "shots", "gone.png", "--sequence")
    assert code == 3
    header, *rows, total = out.splitlines()
    assert header.split() == ["input", "grid", "tokens", "kept", "share", "reference", "seconds"]
    assert rows[0].split()[5] == "key"
    assert rows[2].split()[5] == "step2.png"
    assert total.startswith("5 of 6, 1 failed ")
    words = total.split()[5:]
    assert [int(words[0]), int(words[1])] == [sum(int(row.split()[at]) for row in rows) for at in (2, 3)]
    assert words[3:5] == ["1", "key"]


# --- what is said twice --------------------------------------------------------------------------------------------


def test_the_help_knows_all_selectors_and_metrics() -> None:
    registered = {name: selectors.selector_named(name).summary for name in selectors._BUILT_IN}
    assert registered == SELECTORS
    assert METRICS == ALL_METRICS


def test_help_lists_the_selectors(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prune", "--help"])
    lines = capsys.readouterr().out.splitlines()
    for name, summary in SELECTORS.items():
        assert any(line.split(maxsplit=1) == [name, summary] for line in lines)


def test_settings_have_the_defaults_of_the_command_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records(capsys, "a.png")
    names_of = ("threshold", "selector", "metric", "anchored")
    assert [record[name] for name in names_of] == [getattr(Settings(), name) for name in names_of]
