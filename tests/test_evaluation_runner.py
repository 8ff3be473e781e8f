"""The runner of evaluations: real operators, real processes, a real cache, with measures that are easy to foretell."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import strip, toy_sample

from pixtrim import InputError, PixtrimError, UsageError
from pixtrim.errors import MissingExtraError
from pixtrim.evaluation import reducers, runner
from pixtrim.evaluation.cache import FILE
from pixtrim.evaluation.pictures import RunPictures
from pixtrim.evaluation.records import Run
from pixtrim.evaluation.runner import run
from pixtrim.evaluation.samples import Sample
from pixtrim.tokens import models, resolve

MODEL = "qwen3-vl"

# --- what is recorded ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_records_say_what_was_done_and_the_baseline_costs_the_same(parts: ModuleType, workers: int) -> None:
    samples = [toy_sample("a"), toy_sample("b", "photo"), toy_sample("c")]
    seen: list[tuple[int, int]] = []
    result = run(
        samples,
        "Qwen/Qwen3-VL-8B",
        ["50%", 90, "100%"],
        ["fold", "toy_greedy"],
        ["toy-mean", "toy-area"],
        workers=workers,
        progress=lambda done, total: seen.append((done, total)),
        dataset="three",
    )
    assert result.errors == []
    assert result.complete
    assert (result.model, result.dataset) == (MODEL, "three")
    assert (result.budgets, result.reducers) == (("50%", "90", "100%"), ("resize", "fold", "toy_greedy"))
    assert result.measures == ("toy-mean", "toy-area")
    assert result.questions["toy-mean"] == "How bright is the picture?"
    assert result.versions["measure toy-mean"] == result.versions["operator fold"] == "1"
    assert seen == [(1, 3), (2, 3), (3, 3)]
    keys = [(r.sample, r.budget, r.reducer, r.measure) for r in result.records]
    assert keys == [
        (name, budget, reducer, measure)
        for name in "abc"
        for budget in result.budgets
        for reducer in result.reducers
        for measure in result.measures
    ]
    rule = resolve(MODEL)
    for record in result.records:
        assert record.tokens_original == rule.count(640, 480) == 300
        wanted = {"50%": 150, "90": 90, "100%": 300}[record.budget]
        assert record.baseline_tokens <= record.tokens
        assert record.group == record.sample
        if record.reducer == "resize":
            assert record.tokens <= wanted
            assert (record.baseline_tokens, record.baseline_score) == (record.tokens, record.score)
        if record.budget == "100%":
            assert record.tokens == record.tokens_claimed == 300
            assert record.score == record.baseline_score
        elif record.reducer == "toy_greedy":
            assert record.tokens > record.tokens_claimed == wanted
            assert record.baseline_tokens > wanted  # equal to what it really costs, not to what it says
    assert {r.kind for r in result.records if r.sample == "b"} == {"photo"}
    assert Run.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_the_baseline_is_always_there_and_the_first(parts: ModuleType) -> None:
    result = run([toy_sample("a")], MODEL, ["50%", "0.5", "50.0%"], ["toy_same"], ["toy-area"], workers=0)
    assert result.reducers == ("resize", "toy_same")
    assert result.budgets == ("50%",)
    assert run([toy_sample("a")], MODEL, ["50%"], None, ["toy-area"], workers=0).reducers[0] == "resize"


def test_processes_find_what_this_one_finds(parts: ModuleType) -> None:
    samples = [toy_sample(name) for name in "abcde"]
    runs = [run(samples, MODEL, ["25%"], ["auto"], ["toy-mean"], workers=workers) for workers in (0, 3)]
    assert [strip(record) for record in runs[0].records] == [strip(record) for record in runs[1].records]
    assert len(runs[0].records) == 10


def test_a_picture_without_a_score_and_a_measure_that_does_not_apply(parts: ModuleType) -> None:
    samples = [toy_sample("a", "unscored"), toy_sample("b", "void")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-area"], workers=0)
    assert [(r.sample, r.score, r.baseline_score) for r in result.records] == [("a", None, None)]
    assert result.errors == []


def test_groups_are_kept(parts: ModuleType) -> None:
    one = Sample("x/1", "page", partial(parts.encoded, 1), group="x")
    (record,) = run([one], MODEL, ["50%"], ["resize"], ["toy-area"], workers=0).records
    assert record.group == "x"


def test_faults_of_operators_are_collected(parts: ModuleType, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"check": parts.check, "cache": tmp_path, "workers": 1}
    first, again = (
        run([toy_sample("a")], MODEL, ["50%", "100%"], ["toy_greedy", "fold"], ["toy-area"], **settings)
        for _ in range(2)
    )
    (fault,) = first.faults
    assert (fault.sample, fault.reducer, fault.budget, fault.check) == ("a", "toy_greedy", "50%", "tokens")
    assert fault.what.endswith("not 150")
    assert again.faults == first.faults


# --- what goes wrong does not stop the rest ------------------------------------------------------------------------


def test_what_fails_is_named_and_the_rest_is_done(parts: ModuleType) -> None:
    samples = [
        toy_sample("a"),
        toy_sample("b"),
        Sample("bad.png", "page", parts.undecodable),
        toy_sample("c"),
        toy_sample("d"),
    ]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-picky", "toy-area", "toy-unmade"], workers=0)
    assert result.complete
    errors = dict(result.errors)
    assert len(result.errors) == 4
    assert result.lower_is_better == ["toy-picky"]
    assert errors["toy-unmade"] == "FileNotFoundError: no weights"
    assert errors["b"] == "toy-picky: ArithmeticError: no b"
    assert errors["bad.png"].startswith("is no picture of a known format")
    assert "toy-picky: the score is nan" in errors["c"]
    found = [(record.sample, record.measure) for record in result.records]
    assert found == [
        ("a", "toy-picky"),
        ("a", "toy-area"),
        ("b", "toy-area"),
        ("c", "toy-area"),
        ("d", "toy-picky"),
        ("d", "toy-area"),
    ]


def test_operators_that_misbehave_are_named(parts: ModuleType, tmp_path: Path) -> None:
    result = run(
        [toy_sample("a")],
        MODEL,
        ["50%"],
        ["toy_vandal", "toy_floating", "resize"],
        ["toy-mean"],
        workers=0,
        cache=tmp_path,
    )
    assert [message.split(": ", 1) for _, message in result.errors] == [
        ["toy_vandal at 50%", "ValueError: assignment destination is read-only"],
        ["toy_floating at 50%", "the operator returned an array float64 (336, 448, 3): a picture is uint8 (h, w, 3)"],
    ]
    assert [record.reducer for record in result.records] == ["resize"]


def test_an_operator_that_is_a_lottery_is_named_when_it_is_asked_again(parts: ModuleType, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"workers": 0, "cache": tmp_path}
    assert run([toy_sample("a")], MODEL, ["50%"], ["toy_fickle"], ["toy-mean"], **settings).errors == []
    again = run([toy_sample("a")], MODEL, ["50%"], ["toy_fickle"], ["toy-mean", "toy-area"], **settings)
    ((name, message),) = again.errors
    assert name == "a"
    assert "another picture than before at 150 tokens" in message


def test_pictures_are_left_out_at_budgets_that_they_cannot_meet(parts: ModuleType, tmp_path: Path) -> None:
    samples = [toy_sample("a"), Sample("b", "page", partial(parts.encoded, 1, 1600, 1200))]
    for _ in range(2):
        result = run(samples, "gpt-4o", [100, "60%"], ["fold"], ["toy-area"], workers=0, cache=tmp_path)
        assert {(record.sample, record.budget) for record in result.records} == {("a", "60%"), ("b", "60%")}
        assert result.errors == []
        assert result.notes == [
            "at 100, 2 of 2 pictures are left out: it is less than gpt-4o bills for them at any size"
        ]


def test_budgets_that_only_another_shape_could_meet_are_noted(parts: ModuleType) -> None:
    photo = Sample("a", "photo", partial(parts.encoded, 1, 333, 400))
    result = run([photo], MODEL, [70, 72], ["resize"], ["toy-area"], workers=0)
    assert {record.budget for record in result.records} == {"72"}
    assert result.errors == []
    assert result.notes == [
        "at 70, 1 of 1 pictures are left out: it is less than qwen3-vl bills for them at any size",
    ]


def test_budgets_that_an_operator_cannot_meet_with_its_shape_are_noted(parts: ModuleType, tmp_path: Path) -> None:
    for _ in range(2):
        result = run([toy_sample("a")], MODEL, [80], ["toy_narrow"], ["toy-area"], workers=0, cache=tmp_path)
        assert [record.reducer for record in result.records] == ["resize"]
        assert result.errors == []
        assert result.notes == [
            "at 80, 1 of 1 pictures by toy_narrow are left out: "
            "it is less than qwen3-vl bills at any size for the shape that they get"
        ]


def test_what_is_cheaper_than_any_plain_resize_is_not_compared(parts: ModuleType) -> None:
    result = run([toy_sample("a")], MODEL, ["50%"], ["toy_square"], ["toy-area"], workers=0)
    assert result.errors == []
    resized, square = result.records
    assert resized.baseline_score == resized.score
    assert (square.tokens, square.score, square.baseline_tokens, square.baseline_score) == (64, 65536, 0, None)
    assert result.notes == [
        "at 50%, 1 of 1 pictures by toy_square are not compared: "
        "they cost less than qwen3-vl bills for a plain resize at any size"
    ]


def test_measures_that_describe_are_no_side_of_better(parts: ModuleType) -> None:
    result = run([toy_sample("a")], MODEL, ["50%"], ["resize"], ["toy-picky", "toy-telling"], workers=0)
    assert (result.lower_is_better, result.describing) == (["toy-picky"], ["toy-telling"])
    assert Run.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize("name", ["resize", "fold", "auto"])
def test_operators_can_be_pickled(name: str) -> None:
    reduce = reducers.reducer_named(name).reduce
    assert pickle.loads(pickle.dumps(reduce)).args == (name,)
    assert runner._homes([name], []) == ["pixtrim.evaluation.reducers"]


def test_a_process_that_dies_costs_its_sample_only(parts: ModuleType) -> None:
    samples = [toy_sample(name) for name in ("a", "b1", "c", "b2", "d", "e")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-deadly"], workers=2)
    assert [record.sample for record in result.records] == ["a", "c", "d", "e"]
    assert result.errors == [(name, "the process that worked on it died (exit code -9)") for name in ("b1", "b2")]
    assert result.complete


def test_samples_that_cannot_be_sent_are_named(parts: ModuleType) -> None:
    closure = Sample("b", "page", lambda: parts.encoded(1))
    nowhere = Sample("c", "page", partial(getattr, parts, "x"))
    samples = [toy_sample("a"), closure, toy_sample("d")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-area"], workers=2)
    assert [record.sample for record in result.records] == ["a", "d"]
    ((name, message),) = result.errors
    assert name == "b"
    assert "workers=0" in message
    assert run([closure], MODEL, ["50%"], ["resize"], ["toy-area"], workers=0).errors == []
    assert "cannot be sent" in run([nowhere], MODEL, ["50%"], ["resize"], ["toy-area"], workers=1).errors[0][1]


def test_a_process_that_does_not_know_an_operator_is_no_riddle(parts: ModuleType) -> None:
    reducers.register("toy_stray", reducers.reducer_named("resize").reduce)
    result = run([toy_sample("a")], MODEL, ["50%"], ["toy_stray"], ["toy-area"], workers=1)
    ((_, message),) = result.errors
    assert message.startswith("toy_stray at 50%: operator is 'toy_stray': choose one of resize")
    with pytest.raises(PixtrimError, match=r"could not start: ModuleNotFoundError: No module named 'toy_nowhere'"):
        run([toy_sample("a")], MODEL, ["50%"], ["fold"], ["toy-area"], workers=1, modules=["toy_nowhere"])


# --- interruption --------------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
sys.path[:0] = {path!r}
from functools import partial
from pathlib import Path
from pixtrim.evaluation.runner import run
from pixtrim.evaluation.samples import Sample
from toy_parts import encoded

if __name__ == "__main__":
    samples = [Sample(f"s{{n}}", "page", partial(encoded, n)) for n in range(40)]
    tell = lambda done, total: print(done, flush=True)
    result = run(samples, "qwen3-vl", ["50%", "30%"], ["fold"], ["toy-slow"], workers={workers}, progress=tell,
                 cache=Path("cache"))
    print(json.dumps(result.to_dict()), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_ends_a_run_with_what_it_has(parts: ModuleType, tmp_path: Path, workers: int) -> None:
    path = [str(Path(str(parts.__file__)).parent)]
    (tmp_path / "go.py").write_text(SCRIPT.format(path=path, workers=workers))

    def go(interrupt: bool) -> Run:
        command = [sys.executable, "go.py"]
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # which a shell's background jobs ignore
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(
            command, cwd=tmp_path, text=True, start_new_session=True, preexec_fn=heard, **pipes
        ) as process:
            guard = threading.Timer(100, process.kill)
            guard.start()
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            if interrupt:
                os.killpg(process.pid, signal.SIGINT)  # the whole group, as a terminal does
            out, err = process.communicate()
            guard.cancel()
        assert err == ""
        assert process.returncode == 0
        lines += out.splitlines()
        return Run.from_dict(json.loads(lines[-1]))

    result = go(interrupt=True)
    assert not result.complete
    assert result.errors == []
    done = {record.sample for record in result.records}
    assert 1 <= len(done) < 40
    assert all(sum(r.sample == name for r in result.records) == 4 for name in done)  # whole samples only
    with sqlite3.connect(tmp_path / "cache" / FILE) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


# --- arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model": "gpt-17"}, "gpt-17"),
        ({"model": "gemini-3-pro"}, "bills a picture the same at any size"),
        ({"budgets": []}, "no budget"),
        ({"budgets": ["fit"]}, "'fit'"),
        ({"budgets": ["120%"]}, "120%"),
        ({"budgets": [0]}, "budget"),
        ({"reducers": ["seams"]}, "seams"),
        ({"measures": []}, "no measure"),
        ({"measures": ["toy-nothing"]}, "toy-nothing"),
        ({"workers": -1}, "workers is -1"),
        ({"workers": 2.5}, "workers is 2.5"),
        ({"samples": ""}, "no samples"),
        ({"samples": "aba"}, "'a'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(parts: ModuleType, settings: dict[str, Any], says: str) -> None:
    given = {"samples": "a", "model": MODEL, "measures": ["toy-area"], "workers": 0, **settings}
    given["samples"] = [toy_sample(name) for name in given["samples"]]
    with pytest.raises(UsageError, match=says) as caught:
        run(**given)
    assert "\n" not in str(caught.value)


def test_a_measure_that_lacks_something_says_how_to_install_it(parts: ModuleType) -> None:
    with pytest.raises(MissingExtraError, match="toy-absent: needs atoys: pip install atoys"):
        run([toy_sample("a")], MODEL, ["50%"], ["fold"], ["toy-absent"])


def test_every_rule_is_found_by_its_own_name() -> None:
    assert all(resolve(rule.name).name == rule.name for rule in models())


# --- runs and pictures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{}, {"schema": 2}, [], {"schema": 1}, {"schema": 1, "model": 3}, None])
def test_what_is_no_run_is_refused(value: Any) -> None:
    with pytest.raises(InputError):
        Run.from_dict(value)


def test_what_was_seen_can_be_shown_the_pictures_of_a_run(parts: ModuleType) -> None:
    samples = [toy_sample("a"), Sample("bad.png", "page", parts.undecodable)]
    pictures = RunPictures(samples, MODEL)
    original, resized = pictures("a", "resize", "100%"), pictures("a", "resize", "80")
    assert original is not None
    assert np.array_equal(original.image, samples[0].pixels)
    assert resized is not None
    assert resized.tokens <= 80
    assert resolve(MODEL).count(resized.image.shape[1], resized.image.shape[0]) == resized.tokens
    assert (
        pictures("bad.png", "resize", "50%") is pictures("nobody", "resize", "50%") is pictures("a", "x", "50%") is None
    )
