"""What an evaluation keeps: nothing is done twice, and nothing that changed passes for what it was."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers import strip, toy_sample

from pixtrim import InputError
from pixtrim.evaluation.cache import FILE, Cache, code_of_pictures, key_of
from pixtrim.evaluation.records import Run
from pixtrim.evaluation.runner import run
from pixtrim.evaluation.samples import Box, Sample

MODEL = "qwen3-vl"


def log_of(path: Path) -> list[str]:
    return [line.rsplit(" ", 1)[0] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_second_run_does_only_what_is_missing(parts: ModuleType, tmp_path: Path) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    samples = [toy_sample("a"), toy_sample("b")]

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
    more, done = go([toy_sample("a"), toy_sample("b"), toy_sample("c")], ["50%"], 1)
    assert {line.split()[1] for line in done} == {"c"}
    assert more.records[: len(first.records)] == first.records
    _, done = go(samples, ["50%", "25%"], 1)
    assert done
    assert {line.split()[0] for line in done} == {"score"}  # what is needed of the original is kept, too


def test_pictures_that_are_equal_are_scored_once(parts: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = run([toy_sample("a")], MODEL, ["50%"], ["toy_same", "resize"], [parts.Toy(str(log))], workers=0)
    assert [record.reducer for record in result.records] == ["resize", "toy_same"]
    assert log_of(log) == ["prepare a", "score a"]


@pytest.mark.parametrize(
    "other",
    [
        lambda: toy_sample("a", seed=9),
        lambda: toy_sample("a", text="another text"),
        lambda: toy_sample("a", elements=(Box(0, 0, 1, 1, "b"),)),
        lambda: toy_sample("a", mask=partial(np.ones, (480, 640), bool)),
        lambda: toy_sample("a", kind="photo"),
    ],
    ids=["pixels", "text", "elements", "mask", "kind"],
)
def test_what_scores_depend_on_is_told_apart(parts: ModuleType, tmp_path: Path, other: Callable[[], Sample]) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    for one in (toy_sample("a"), other()):
        log.unlink(missing_ok=True)
        run([one], MODEL, ["50%"], ["resize"], [parts.Toy(str(log))], workers=0, cache=cache)
    assert log_of(log) == ["prepare a", "score a"]


def test_names_do_not_matter_to_the_cache_but_versions_do(
    parts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"

    def go(name: str) -> list[str]:
        log.unlink(missing_ok=True)
        one = toy_sample(name, seed=1)
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
            run([toy_sample("a")], MODEL, ["50%"], ["fold"], ["toy-area"], cache=tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_cache_that_fails_on_the_way_costs_no_result(parts: ModuleType, tmp_path: Path) -> None:
    def spoil(done: int, total: int) -> None:
        with sqlite3.connect(tmp_path / FILE) as connection:
            connection.execute("DROP TABLE results")
        connection.close()

    samples = [toy_sample("a"), toy_sample("b"), toy_sample("c")]
    result = run(samples, MODEL, ["50%"], ["resize"], ["toy-area"], workers=0, cache=tmp_path, progress=_once(spoil))
    assert [record.sample for record in result.records] == ["a", "b", "c"]
    assert result.errors == [("cache", f"{tmp_path}: results are no longer kept (no such table: results)")]


def _once(action: Callable[[int, int], None]) -> Callable[[int, int], None]:
    left = [action]
    return lambda done, total: left.pop()(done, total) if left else None


def test_two_runs_may_share_a_cache(parts: ModuleType, tmp_path: Path) -> None:
    samples = [toy_sample(name) for name in "abcdef"]
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
