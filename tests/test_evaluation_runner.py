"""The runner of evaluations: real operators, real processes, a real cache, with measures that are easy to foretell."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pixtrim import InputError, PixtrimError, UsageError
from pixtrim.errors import MissingExtraError
from pixtrim.evaluation import measures, reducers, runner
from pixtrim.evaluation.cache import FILE, Cache, code_of_pictures, key_of
from pixtrim.evaluation.pictures import RunPictures
from pixtrim.evaluation.records import Run
from pixtrim.evaluation.runner import run
from pixtrim.evaluation.samples import Box, Sample, Truth
from pixtrim.tokens import models, resolve

MODEL = "qwen3-vl"

PARTS = '''
"""Pictures, measures and operators for the tests of the evaluation, in a module as others write them."""

import io
import os
import time
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixtrim.evaluation.measures import Measure, register
from pixtrim.evaluation.reducers import Reduced, reducer_named
from pixtrim.evaluation.reducers import register as register_reducer


def encoded(seed, width=640, height=480):
    # coarse noise with a white band
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    pixels = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    pixels[height // 3 : height // 2] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def undecodable():
    return b"no picture"


class Toy(Measure):
    """Writes down all that it is asked to do, if it has a file for it."""

    name = "toy-mean"
    question = "How bright is the picture?"

    def __init__(self, log=None):
        self.log = log

    def note(self, what, sample):
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(f"{what} {sample.name} {os.getpid()}\\n")

    def applies(self, sample):
        return sample.kind != "void"

    def prepare(self, sample):
        self.note("prepare", sample)
        return {"mean": float(sample.pixels.mean())}

    def score(self, sample, reduced, prepared):
        self.note("score", sample)
        return abs(float(reduced.image.mean()) - prepared["mean"])


register(Toy)


@register
class Area(Toy):
    name = "toy-area"
    question = "How large is the picture?"

    def prepare(self, sample):
        return np.zeros(3)

    def score(self, sample, reduced, prepared):
        assert prepared.shape == (3,)
        return None if sample.kind == "unscored" else reduced.image.size // 3


@register
class Picky(Toy):
    name = "toy-picky"
    question = "What if a measure fails?"
    higher_is_better = False

    def score(self, sample, reduced, prepared):
        if sample.name.startswith("b"):
            raise ArithmeticError("no\\nb")
        return float("nan") if sample.name.startswith("c") else 1


@register
class Telling(Toy):
    name = "toy-telling"
    question = "What if a measure only describes?"
    describes = True

    def score(self, sample, reduced, prepared):
        return 1.0


@register
class Unmade(Toy):
    name = "toy-unmade"
    question = "What if it cannot be made?"

    def __init__(self):
        raise FileNotFoundError("no weights")


@register
class Absent(Toy):
    name = "toy-absent"
    question = "What if something is not installed?"

    @classmethod
    def missing(cls):
        return "needs atoys: pip install atoys"


@register
class Deadly(Toy):
    name = "toy-deadly"
    question = "What if an engine takes the process with it?"

    def score(self, sample, reduced, prepared):
        if sample.name.startswith("b"):
            os.kill(os.getpid(), 9)
        return 1.0


@register
class Slow(Toy):
    name = "toy-slow"
    question = "What if it takes long?"

    def score(self, sample, reduced, prepared):
        time.sleep(0.25)
        return 1.0


def same(pixels, model, tokens):
    return reducer_named("resize").reduce(pixels, model, tokens)


def greedy(pixels, model, tokens):
    reduced = reducer_named("resize").reduce(pixels, model, int(1.3 * tokens))
    return Reduced(reduced.image, reduced.coordinates, tokens)


def vandal(pixels, model, tokens):
    pixels[:] = 0
    return same(pixels, model, tokens)


def fickle(pixels, model, tokens):
    reduced = same(pixels, model, tokens)
    return Reduced(reduced.image ^ np.uint8(time.monotonic_ns() % 251), reduced.coordinates, reduced.tokens)


def floating(pixels, model, tokens):
    reduced = same(pixels, model, tokens)
    return Reduced(reduced.image / 255, reduced.coordinates, reduced.tokens)


def square(pixels, model, tokens):
    # of another shape, which costs less than any plain resize of the picture
    reduced = same(pixels, model, tokens)
    return Reduced(np.zeros((256, 256, 3), np.uint8), reduced.coordinates, 64)


def narrow(pixels, model, tokens):
    # of a shape that costs more, whatever its size
    return same(np.ascontiguousarray(pixels[:102]), model, tokens)


for reduce in (square, narrow, same, greedy, vandal, fickle, floating):
    register_reducer(f"toy_{reduce.__name__}", reduce)


class Finding(NamedTuple):
    check: str
    what: str


def check(sample, reduced, counted, budget, baseline):
    return [Finding("tokens", f"{counted} not {reduced.tokens}")] if counted != reduced.tokens else []

'''


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = tmp_path_factory.mktemp("parts")
    (folder / "toy_parts.py").write_text(PARTS)
    sys.path.insert(0, str(folder))
    before = measures.measure_names(), reducers.reducer_names()
    yield importlib.import_module("toy_parts")
    sys.path.remove(str(folder))
    del sys.modules["toy_parts"]
    for registry, known in zip((measures._REGISTRY, reducers._REGISTRY), before, strict=True):
        for name in set(registry) - set(known):
            del registry[name]  # type: ignore[attr-defined]


def sample(name: str, kind: str = "page", seed: int | None = None, **truth: Any) -> Sample:
    read = partial(toys().encoded, ord(name[0]) if seed is None else seed)
    return Sample(name, kind, read, Truth(**truth))


def toys() -> ModuleType:
    return sys.modules["toy_parts"]


# --- what is recorded ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_records_say_what_was_done_and_the_baseline_costs_the_same(parts: ModuleType, workers: int) -> None:
    samples = [sample("a"), sample("b", "photo"), sample("c")]
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
    result = run([sample("a")], MODEL, ["50%", "0.5", "50.0%"], ["toy_same"], ["toy-area"], workers=0)
    assert result.reducers == ("resize", "toy_same")
    assert result.budgets == ("50%",)
    assert run([sample("a")], MODEL, ["50%"], None, ["toy-area"], workers=0).reducers[0] == "resize"


def test_processes_find_what_this_one_finds(parts: ModuleType) -> None:
    samples = [sample(name) for name in "abcde"]
    runs = [run(samples, MODEL, ["25%"], ["auto"], ["toy-mean"], workers=workers) for workers in (0, 3)]
    assert [strip(record) for record in runs[0].records] == [strip(record) for record in runs[1].records]
    assert len(runs[0].records) == 10


def strip(record: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key != "seconds"}


def test_a_picture_without_a_score_and_a_measure_that_does_not_apply(parts: ModuleType) -> None:
    samples = [sample("a", "unscored"), sample("b", "void")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-area"], workers=0)
    assert [(r.sample, r.score, r.baseline_score) for r in result.records] == [("a", None, None)]
    assert result.errors == []


def test_groups_are_kept(parts: ModuleType) -> None:
    one = Sample("x/1", "page", partial(toys().encoded, 1), group="x")
    (record,) = run([one], MODEL, ["50%"], ["resize"], ["toy-area"], workers=0).records
    assert record.group == "x"


def test_faults_of_operators_are_collected(parts: ModuleType, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"check": parts.check, "cache": tmp_path, "workers": 1}
    first, again = (
        run([sample("a")], MODEL, ["50%", "100%"], ["toy_greedy", "fold"], ["toy-area"], **settings) for _ in range(2)
    )
    (fault,) = first.faults
    assert (fault.sample, fault.reducer, fault.budget, fault.check) == ("a", "toy_greedy", "50%", "tokens")
    assert fault.what.endswith("not 150")
    assert again.faults == first.faults


# --- what goes wrong does not stop the rest ------------------------------------------------------------------------


def test_what_fails_is_named_and_the_rest_is_done(parts: ModuleType) -> None:
    samples = [sample("a"), sample("b"), Sample("bad.png", "page", toys().undecodable), sample("c"), sample("d")]
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
        [sample("a")],
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
    assert run([sample("a")], MODEL, ["50%"], ["toy_fickle"], ["toy-mean"], **settings).errors == []
    again = run([sample("a")], MODEL, ["50%"], ["toy_fickle"], ["toy-mean", "toy-area"], **settings)
    ((name, message),) = again.errors
    assert name == "a"
    assert "another picture than before at 150 tokens" in message


def test_pictures_are_left_out_at_budgets_that_they_cannot_meet(parts: ModuleType, tmp_path: Path) -> None:
    samples = [sample("a"), Sample("b", "page", partial(parts.encoded, 1, 1600, 1200))]
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
        result = run([sample("a")], MODEL, [80], ["toy_narrow"], ["toy-area"], workers=0, cache=tmp_path)
        assert [record.reducer for record in result.records] == ["resize"]
        assert result.errors == []
        assert result.notes == [
            "at 80, 1 of 1 pictures by toy_narrow are left out: "
            "it is less than qwen3-vl bills at any size for the shape that they get"
        ]


def test_what_is_cheaper_than_any_plain_resize_is_not_compared(parts: ModuleType) -> None:
    result = run([sample("a")], MODEL, ["50%"], ["toy_square"], ["toy-area"], workers=0)
    assert result.errors == []
    resized, square = result.records
    assert resized.baseline_score == resized.score
    assert (square.tokens, square.score, square.baseline_tokens, square.baseline_score) == (64, 65536, 0, None)
    assert result.notes == [
        "at 50%, 1 of 1 pictures by toy_square are not compared: "
        "they cost less than qwen3-vl bills for a plain resize at any size"
    ]


def test_measures_that_describe_are_no_side_of_better(parts: ModuleType) -> None:
    result = run([sample("a")], MODEL, ["50%"], ["resize"], ["toy-picky", "toy-telling"], workers=0)
    assert (result.lower_is_better, result.describing) == (["toy-picky"], ["toy-telling"])
    assert Run.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize("name", ["resize", "fold", "auto"])
def test_operators_can_be_pickled(name: str) -> None:
    reduce = reducers.reducer_named(name).reduce
    assert pickle.loads(pickle.dumps(reduce)).args == (name,)
    assert runner._homes([name], []) == ["pixtrim.evaluation.reducers"]


def test_a_process_that_dies_costs_its_sample_only(parts: ModuleType) -> None:
    samples = [sample(name) for name in ("a", "b1", "c", "b2", "d", "e")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-deadly"], workers=2)
    assert [record.sample for record in result.records] == ["a", "c", "d", "e"]
    assert result.errors == [(name, "the process that worked on it died (exit code -9)") for name in ("b1", "b2")]
    assert result.complete


def test_samples_that_cannot_be_sent_are_named(parts: ModuleType) -> None:
    closure = Sample("b", "page", lambda: toys().encoded(1))
    nowhere = Sample("c", "page", partial(getattr, parts, "x"))
    samples = [sample("a"), closure, sample("d")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-area"], workers=2)
    assert [record.sample for record in result.records] == ["a", "d"]
    ((name, message),) = result.errors
    assert name == "b"
    assert "workers=0" in message
    assert run([closure], MODEL, ["50%"], ["resize"], ["toy-area"], workers=0).errors == []
    assert "cannot be sent" in run([nowhere], MODEL, ["50%"], ["resize"], ["toy-area"], workers=1).errors[0][1]


def test_a_process_that_does_not_know_an_operator_is_no_riddle(parts: ModuleType) -> None:
    reducers.register("toy_stray", reducers.reducer_named("resize").reduce)
    result = run([sample("a")], MODEL, ["50%"], ["toy_stray"], ["toy-area"], workers=1)
    ((_, message),) = result.errors
    assert message.startswith("toy_stray at 50%: operator is 'toy_stray': choose one of resize")
    with pytest.raises(PixtrimError, match=r"could not start: ModuleNotFoundError: No module named 'toy_nowhere'"):
        run([sample("a")], MODEL, ["50%"], ["fold"], ["toy-area"], workers=1, modules=["toy_nowhere"])


# --- the cache -----------------------------------------------------------------------------------------------------


def log_of(path: Path) -> list[str]:
    return [line.rsplit(" ", 1)[0] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_second_run_does_only_what_is_missing(parts: ModuleType, tmp_path: Path) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    samples = [sample("a"), sample("b")]

    def go(samples: list[Sample], budgets: list[str], workers: int) -> tuple[Run, list[str]]:
        log.unlink(missing_ok=True)
        result = run(samples, MODEL, budgets, ["fold"], [parts.Toy(str(log))], workers=workers, cache=cache)
        assert result.errors == []
        return result, log_of(log)

    first, done = go(samples, ["50%"], 1)
    assert {line.split()[0] for line in done} == {"prepare", "score"}
    again, done = go(samples, ["50%"], 2)
    assert done == []
    assert again.records == first.records  # with the times of the first run
    more, done = go([sample("a"), sample("b"), sample("c")], ["50%"], 1)
    assert {line.split()[1] for line in done} == {"c"}
    assert more.records[: len(first.records)] == first.records
    _, done = go(samples, ["50%", "25%"], 1)
    assert done
    assert {line.split()[0] for line in done} == {"score"}  # what is needed of the original is kept, too


def test_pictures_that_are_equal_are_scored_once(parts: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = run([sample("a")], MODEL, ["50%"], ["toy_same", "resize"], [parts.Toy(str(log))], workers=0)
    assert [record.reducer for record in result.records] == ["resize", "toy_same"]
    assert log_of(log) == ["prepare a", "score a"]


@pytest.mark.parametrize(
    "other",
    [
        lambda: sample("a", seed=9),
        lambda: sample("a", text="another text"),
        lambda: sample("a", elements=(Box(0, 0, 1, 1, "b"),)),
        lambda: sample("a", mask=partial(np.ones, (480, 640), bool)),
        lambda: sample("a", kind="photo"),
    ],
    ids=["pixels", "text", "elements", "mask", "kind"],
)
def test_what_scores_depend_on_is_told_apart(parts: ModuleType, tmp_path: Path, other: Callable[[], Sample]) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    for one in (sample("a"), other()):
        log.unlink(missing_ok=True)
        run([one], MODEL, ["50%"], ["resize"], [parts.Toy(str(log))], workers=0, cache=cache)
    assert log_of(log) == ["prepare a", "score a"]


def test_names_do_not_matter_to_the_cache_but_versions_do(
    parts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"

    def go(name: str) -> list[str]:
        log.unlink(missing_ok=True)
        one = sample(name, seed=1)
        run([one], MODEL, ["50%"], ["toy_same"], [parts.Toy(str(log))], workers=0, cache=tmp_path / "cache")
        return log_of(log)

    assert go("a")
    assert not go("b")
    monkeypatch.setattr(parts.Toy, "version", "2")
    assert go("b") == ["prepare b", "score b"]


def test_the_folder_of_a_cache_is_checked_before_any_work(parts: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / FILE).write_bytes(b"no database" * 100)
    for name in ("file", "damaged", "file/below"):
        with pytest.raises(InputError, match="or choose another folder") as caught:
            run([sample("a")], MODEL, ["50%"], ["fold"], ["toy-area"], cache=tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_cache_that_fails_on_the_way_costs_no_result(parts: ModuleType, tmp_path: Path) -> None:
    def spoil(done: int, total: int) -> None:
        with sqlite3.connect(tmp_path / FILE) as connection:
            connection.execute("DROP TABLE results")
        connection.close()

    samples = [sample("a"), sample("b"), sample("c")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-area"], workers=0, cache=tmp_path, progress=_once(spoil))
    assert [record.sample for record in result.records] == ["a", "b", "c"]
    assert result.errors == [("cache", f"{tmp_path}: results are no longer kept (no such table: results)")]


def _once(action: Callable[[int, int], None]) -> Callable[[int, int], None]:
    left = [action]
    return lambda done, total: left.pop()(done, total) if left else None


def test_two_runs_may_share_a_cache(parts: ModuleType, tmp_path: Path) -> None:
    samples = [sample(name) for name in "abcdef"]
    results: list[Run] = []

    def go() -> None:
        results.append(run(samples, MODEL, ["25%", "50%"], ["fold"], ["toy-mean"], workers=1, cache=tmp_path))

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.errors for result in results] == [[], []]
    assert [strip(r) for r in results[0].records] == [strip(r) for r in results[1].records]
    assert (tmp_path / ".gitignore").exists() is False  # the folder was there before


def test_version_control_passes_a_folder_by_that_was_made(tmp_path: Path) -> None:
    Cache(tmp_path / "new").close()
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"


def test_keys_are_of_all_parts() -> None:
    keys = {key_of("a", "b"), key_of("ab"), key_of("a", "b", 1), key_of("a", "b", "1"), key_of("b", "a")}
    assert len(keys) == 5
    assert code_of_pictures() == code_of_pictures()


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
        ({"reducers": ["carve"]}, "carve"),
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
    given["samples"] = [sample(name) for name in given["samples"]]
    with pytest.raises(UsageError, match=says) as caught:
        run(**given)
    assert "\n" not in str(caught.value)


def test_a_measure_that_lacks_something_says_how_to_install_it(parts: ModuleType) -> None:
    with pytest.raises(MissingExtraError, match="toy-absent: needs atoys: pip install atoys"):
        run([sample("a")], MODEL, ["50%"], ["fold"], ["toy-absent"])


def test_every_rule_is_found_by_its_own_name() -> None:
    assert all(resolve(rule.name).name == rule.name for rule in models())


# --- runs and pictures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{}, {"schema": 2}, [], {"schema": 1}, {"schema": 1, "model": 3}, None])
def test_what_is_no_run_is_refused(value: Any) -> None:
    with pytest.raises(InputError):
        Run.from_dict(value)


def test_what_was_seen_can_be_shown_the_pictures_of_a_run(parts: ModuleType) -> None:
    samples = [sample("a"), Sample("bad.png", "page", toys().undecodable)]
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
