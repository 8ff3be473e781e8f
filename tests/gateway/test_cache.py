"""The cache: what went in comes out, within its limits, whatever the disk does."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixtrim.gateway.cache import OVERHEAD, Cache, DiskCache
from pixtrim.gateway.pictures import NO_MEMORY, Outcome

CHANGED = Outcome(
    b"\x00\xffpicture\n" * 10, "image/png", "changed", "fold", (1500, 700), (800, 600, 800, 300), (900, 110)
)
LEFT = Outcome(None, None, "nothing to save", "none", (100, 100), (10, 10, 10, 10), (50, 50))
UNREAD = Outcome(None, None, "not base64")


def key(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def complaints() -> list[str]:
    return []


def test_what_came_of_want_of_memory_is_not_kept(tmp_path: Path, complaints: list[str]) -> None:
    cache = Cache(10**6, DiskCache(tmp_path, 10**6, complaints.append))
    cache.put(key(0), Outcome(None, None, NO_MEMORY))
    assert cache.get(key(0)) is None
    assert list(tmp_path.iterdir()) == []


def test_outcomes_come_back_as_they_were_from_memory_and_disk(tmp_path: Path, complaints: list[str]) -> None:
    disk = DiskCache(tmp_path / "new" / "folder", 10**6, complaints.append)
    cache = Cache(10**6, disk)
    for number, outcome in enumerate((CHANGED, LEFT, UNREAD)):
        assert cache.get(key(number)) is None
        cache.put(key(number), outcome)
        assert cache.get(key(number)) == outcome
    later = Cache(0, DiskCache(tmp_path / "new" / "folder", 10**6, complaints.append))
    assert [later.get(key(number)) for number in range(4)] == [CHANGED, LEFT, UNREAD, None]
    assert later.bytes == 0
    assert complaints == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=60), st.integers(0, 12_000))
@settings(deadline=None, max_examples=60)
def test_memory_never_holds_more_than_its_limit_and_keeps_what_was_used_last(
    steps: list[tuple[int, int]], limit: int
) -> None:
    cache = Cache(limit)
    held: dict[int, int] = {}  # in the order of use
    for number, size in steps:
        cache.put(key(number), Outcome(b"x" * size, "image/png", "changed"))
        if size + OVERHEAD <= limit:
            held.pop(number, None)
            held[number] = size + OVERHEAD
            while sum(held.values()) > limit:
                held.pop(next(iter(held)))
        assert cache.bytes == sum(held.values()) <= limit
        found = cache.get(key(number))
        assert (found is not None) == (number in held)
        if found is not None:
            held[number] = held.pop(number)
            assert len(found.data or b"") + OVERHEAD == held[number]
    for number in range(10):
        assert (cache.get(key(number)) is not None) == (number in held)


def test_the_folder_has_a_limit_and_gives_up_what_was_used_longest_ago(tmp_path: Path, complaints: list[str]) -> None:
    picture = Outcome(b"x" * 1000, "image/png", "changed")
    disk = DiskCache(tmp_path, 5500, complaints.append)
    for number in range(4):
        disk.put(key(number), picture)
    assert disk.get(key(0)) == picture
    disk.put(key(4), picture)
    files = sorted(tmp_path.iterdir())
    assert disk.bytes == sum(file.stat().st_size for file in files) <= 5500
    assert disk.get(key(1)) is None
    assert disk.get(key(0)) == picture
    disk.put(key(9), Outcome(b"x" * 6000, "image/png", "changed"))  # larger than all of it
    assert disk.get(key(9)) is None
    smaller = DiskCache(tmp_path, 2800, complaints.append)
    assert smaller.bytes <= 2800
    assert len(list(tmp_path.iterdir())) == 2
    assert complaints == []


def test_damaged_files_are_removed_and_those_of_others_left_alone(tmp_path: Path, complaints: list[str]) -> None:
    disk = DiskCache(tmp_path, 10**6, complaints.append)
    disk.put(key(0), CHANGED)
    whole = (tmp_path / f"{key(0)}.outcome").read_bytes()
    bad = {
        1: whole,  # under another name
        2: whole[:-1],
        3: whole[:40],
        4: b"",
        5: b"something else",
        6: whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
    }
    for number, file in bad.items():
        (tmp_path / f"{key(number)}.outcome").write_bytes(file)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".pixtrim-old.half").write_text("half")
    (tmp_path / ".pixtrim-new.half").write_text("half")
    os.utime(tmp_path / ".pixtrim-old.half", (time.time() - 3600,) * 2)
    (tmp_path / f"{key(7)}.outcome").mkdir()
    later = DiskCache(tmp_path, 10**6, complaints.append)
    assert [later.get(key(number)) for number in range(8)] == [CHANGED, *[None] * 7]
    assert len(complaints) == len(bad)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        [f"{key(0)}.outcome", f"{key(7)}.outcome", "notes.txt", ".pixtrim-new.half"]
    )
    assert later.bytes == len(whole)


def test_a_folder_that_cannot_be_used_is_only_complained_about(tmp_path: Path, complaints: list[str]) -> None:
    (tmp_path / "file").write_text("x")
    disk = DiskCache(tmp_path / "file", 10**6, complaints.append)
    for _ in range(3):  # which is said once, not for each image
        disk.put(key(0), CHANGED)
    assert disk.get(key(0)) is None
    assert len(complaints) == 2
    assert all(str(tmp_path / "file") in complaint and "\n" not in complaint for complaint in complaints)
    cache = Cache(10**6, disk)
    cache.put(key(1), CHANGED)
    assert cache.get(key(1)) == CHANGED


def test_a_folder_that_goes_away_is_as_if_it_were_empty(tmp_path: Path, complaints: list[str]) -> None:
    folder = tmp_path / "cache"
    disk = DiskCache(folder, 10**6, complaints.append)
    disk.put(key(0), CHANGED)
    (folder / f"{key(0)}.outcome").unlink()
    assert disk.get(key(0)) is None
    assert disk.bytes == 0
    folder.rmdir()
    disk.put(key(1), CHANGED)
    assert disk.get(key(1)) is None
    assert len(complaints) == 1


def test_threads_may_use_it_together(tmp_path: Path, complaints: list[str]) -> None:
    cache = Cache(20_000, DiskCache(tmp_path, 15_000, complaints.append))
    wrong: list[object] = []

    def use(seed: int) -> None:
        for step in range(150):
            number = (seed * 7 + step * 13) % 30
            outcome = Outcome(bytes([number]) * 900, "image/png", "changed")
            found = cache.get(key(number))
            if found is not None and found != outcome:
                wrong.append(found)
            cache.put(key(number), outcome)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert complaints == []
    assert cache.bytes <= 20_000
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 16_000
