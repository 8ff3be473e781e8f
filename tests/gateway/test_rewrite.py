"""rewrite(): what becomes of images, the good and the bad, and that it depends on nothing else."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from wire import file_of, opened, page, photo, remembered, text_of

from pixtrim.errors import UsageError
from pixtrim.gateway import ImageReport, Rewritten, Settings, rewrite
from pixtrim.gateway.pictures import Job, Outcome, decoded, encoded, reduced
from pixtrim.tokens import resolve

HALF = Settings(budget=0.5, operator="resize")
GOOD = file_of(photo(200, 150))
CHANGED = "changed"


def body(*files: bytes | str, model: Any = "claude-sonnet-4-5", media_type: str = "image/png") -> dict[str, Any]:
    texts = [file if isinstance(file, str) else text_of(file) for file in files]
    sources = [{"type": "base64", "media_type": media_type, "data": text} for text in texts]
    content = [{"type": "image", "source": source} for source in sources]
    return {"model": model, "messages": [{"role": "user", "content": content}]}


def shrunk(request: Any, settings: Settings = HALF, **options: Any) -> Rewritten:
    return rewrite(request, "anthropic", settings, **{"reduce": remembered, **options})


def one(file: bytes | str, settings: Settings = HALF, **options: Any) -> tuple[ImageReport, bytes]:
    """Send one image; return what became of it, and the file that arrives."""
    found = shrunk(body(file, **options), settings)
    return found.report.images[0], base64.b64decode(found.body["messages"][0]["content"][0]["source"]["data"])


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (file_of(photo(200, 150), "JPEG"), "JPEG"),
        (file_of(photo(200, 150)), "PNG"),
        (file_of(photo(200, 150), "GIF"), "PNG"),
        (file_of(photo(200, 150), "BMP"), "PNG"),
        (file_of(photo(200, 150), "TIFF"), "PNG"),
        (file_of(photo(200, 150), "WEBP", lossless=True), "WEBP"),
        (file_of(photo(200, 150), "WEBP"), "JPEG"),
        (file_of(Image.fromarray(photo(200, 150)).convert("L")), "PNG"),
        (file_of(Image.fromarray(photo(200, 150)).convert("CMYK"), "JPEG"), "JPEG"),
    ],
    ids=["JPEG", "PNG", "GIF", "BMP", "TIFF", "lossless WebP", "lossy WebP", "grey", "CMYK"],
)
def test_the_format_stays_where_it_can(file: bytes, expected: str) -> None:
    image, data = one(file)
    assert image.outcome.reason == CHANGED
    assert image.outcome.media_type == f"image/{expected.lower()}"
    assert opened(text_of(data)).format == expected
    assert image.outcome.size == (200, 150, *opened(text_of(data)).size)
    assert image.outcome.bytes == (len(file), len(data))


def test_the_default_takes_nothing_away_that_the_model_sees() -> None:
    large = file_of(photo(2000, 1000))
    image, data = one(large, Settings(operator="resize"))
    assert opened(text_of(data)).size == resolve("claude-sonnet-4-5").seen(2000, 1000) == (1568, 784)
    assert image.outcome.tokens is not None
    assert image.outcome.tokens[0] == image.outcome.tokens[1]


def test_pages_are_folded_by_default_and_photos_are_not() -> None:
    assert one(file_of(page()), Settings())[0].outcome.operator.startswith("fold")
    assert one(file_of(photo(300, 200)), Settings())[0].outcome.reason == "nothing to save"


def test_an_image_that_stands_on_its_side_is_put_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image, data = one(file_of(photo(400, 200), "JPEG", exif=exif))
    assert image.outcome.size is not None
    assert image.outcome.size[:2] == (200, 400)
    picture = opened(text_of(data))
    assert picture.height > picture.width
    assert not picture.getexif()


def test_metadata_do_not_go_along() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    assert b"a secret" in file_of(photo(200, 150), "JPEG", exif=exif)
    assert b"a secret" not in one(file_of(photo(200, 150), "JPEG", exif=exif))[1]


# --- images that stay as they are ------------------------------------------------------------------------------------


def png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\2\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


FRAMES = [Image.fromarray(photo(60, 40, seed)) for seed in range(3)]
CLEAR = Image.fromarray(np.dstack([photo(200, 150), np.full((150, 200), 128, np.uint8)]))
BAD: dict[str, tuple[bytes | str, str]] = {
    "animated GIF": (file_of(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), "animated"),
    "animated PNG": (file_of(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), "animated"),
    "animated WebP": (file_of(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "animated"),
    "transparent": (file_of(CLEAR), "transparent"),
    "cut PNG": (GOOD[:-400], "damaged"),
    "cut JPEG": (file_of(photo(200, 150), "JPEG")[:-400], "damaged"),
    "header alone": (GOOD[:40], "damaged"),
    "bomb": (png(60_000, 60_000, b""), "over the limit of 40000000"),
    "long strip": (png(50_000, 2_000, b""), "over the limit of 40000000"),
    "few rows": (png(5_000, 5_000, b"\0" * 1000), "damaged"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\n", "not an image"),
    "PDF behind a header": (b"GIFT %PDF-1.7\n", "not an image"),
    "HTML": (b"<html>", "not an image"),
    "nothing": (b"", "not an image"),
    "not base64": ("!" * 100, "not base64"),
    "half of a surrogate": ("\ud800", "not base64"),
    "cut base64": (text_of(GOOD)[:-3], "not base64"),
    "too much padding": (text_of(GOOD) + "====A", "not base64"),
}


@pytest.mark.parametrize(("file", "reason"), BAD.values(), ids=BAD)
def test_a_bad_image_goes_through_and_costs_the_others_nothing(file: bytes | str, reason: str) -> None:
    given = body(GOOD, file, file_of(photo(200, 150, 1)))
    found = shrunk(given)
    reasons = [image.outcome.reason for image in found.report.images]
    assert reasons[::2] == [CHANGED, CHANGED]
    assert reason in reasons[1]
    assert found.body["messages"][0]["content"][1] is given["messages"][0]["content"][1]
    if "\ud800" not in str(file):
        again = shrunk(json.dumps(given).encode())
        assert json.loads(again.body) == found.body
        assert again.report == found.report


def test_reasons_have_nothing_of_the_image_in_them() -> None:
    image, _ = one(b"GIF8 secret" + b"\0" * 100)
    assert image.outcome.data is None
    assert "secret" not in repr(image)
    assert b"secret".hex() not in repr(image).replace(" ", "")


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_saving_must_be_worth_it(share: float) -> None:
    image, _ = one(GOOD, Settings(budget=0.6, operator="resize", minimum_saving=share))
    assert image.outcome.tokens is not None
    assert image.outcome.reason == (CHANGED if share == 0.2 else "too little to save")
    assert image.outcome.tokens[0] == resolve("claude-sonnet-4-5").count(200, 150)


def test_a_fault_in_the_work_is_told_and_the_image_goes_through() -> None:
    without_levels = replace(resolve("claude-sonnet-4-5"), levels={})
    outcome = reduced(Job(text_of(GOOD), without_levels, None, HALF))
    assert outcome.data is None
    assert outcome.reason == "a fault of pixtrim: KeyError"


# --- what providers refuse -------------------------------------------------------------------------------------------


def test_a_side_over_the_limit_is_scaled() -> None:
    image, data = one(file_of(np.full((40, 9000, 3), 200, np.uint8)), Settings(operator="resize", minimum_saving=1))
    assert image.outcome.reason == CHANGED
    assert image.outcome.operator == "resize"
    assert max(opened(text_of(data)).size) <= 8000


def test_many_images_have_a_lower_limit() -> None:
    wide = file_of(np.full((30, 2100, 3), 200, np.uint8))
    small = [file_of(photo(30, 20, seed)) for seed in range(20)]
    settings = Settings(operator="resize", minimum_saving=1)
    assert shrunk(body(wide, *small[:19]), settings).report.images[0].outcome.reason == "too little to save"
    crowded = shrunk(body(wide, *small), settings)
    assert crowded.report.images[0].outcome.reason == CHANGED
    assert opened(crowded.body["messages"][0]["content"][0]["source"]["data"]).width <= 2000
    assert {image.outcome.reason for image in crowded.report.images[1:]} == {"nothing to save"}


def test_too_many_images_change_none_of_them() -> None:
    small = file_of(photo(30, 20))
    found = shrunk(body(*[small] * 101), Settings())
    assert {image.outcome.reason for image in found.report.images} == {"nothing to save"}


def test_patches_over_the_limit_are_scaled() -> None:
    tall = file_of(np.full((6000, 5600, 3), 255, np.uint8))
    rule = resolve("gpt-5.6")
    assert rule.check(5600, 6000)
    image, data = one(tall, Settings(operator="resize", minimum_saving=1), model="gpt-5.6")
    assert image.outcome.reason == CHANGED
    assert not rule.check(*opened(text_of(data)).size)


def test_what_no_size_mends_is_left_alone() -> None:
    image, _ = one(file_of(np.full((4, 1200, 3), 255, np.uint8)), Settings(operator="resize"), model="qwen3-vl")
    assert image.outcome.data is None


def test_a_file_over_the_limit_becomes_a_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1560, 3), dtype=np.uint8)
    file = file_of(noise, "BMP") + bytes(2_000_000)
    assert len(file) * 4 / 3 > 10_485_760
    image, data = one(file, Settings(operator="resize", model="claude-opus-4-7"))
    assert image.outcome.reason == CHANGED
    assert len(text_of(data)) <= 10_485_760


# --- the request -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "note"),
    [
        (b"", "the body is not a JSON object"),
        (b"[]", "the body is not a JSON object"),
        (b'"text"', "the body is not a JSON object"),
        (b"\xef\xbb\xbf" + json.dumps(body(GOOD)).encode(), "the body is not a JSON object"),
        (json.dumps(body(GOOD)).encode("utf-16"), "the body is not a JSON object"),
        (json.dumps(body(GOOD)).encode()[:-1], "the body is not a JSON object"),
        (json.dumps(body(GOOD)).encode() + b"}", "the body is not a JSON object"),
        (json.dumps(body(GOOD)).encode().replace(b'"user"', b'"\xff"'), "the body is not a JSON object"),
        (json.dumps(body(GOOD)).encode()[:-1] + b', "n": ' + b"9" * 5000 + b"}", "the body is not a JSON object"),
        (json.dumps(body(GOOD)).encode()[:-1] + b', "n": ' + b"[" * 10**5 + b"}", "the body is not a JSON object"),
        (bytearray(json.dumps(body(GOOD)).encode()), "the body is not a JSON object"),
        ([body(GOOD)], "the body is not a JSON object"),
        (None, "the body is not a JSON object"),
    ],
)
def test_what_is_no_json_object_goes_through(given: Any, note: str) -> None:
    found = shrunk(given)
    assert found.body is given
    assert found.report.note == note
    assert found.report.images == ()


@pytest.mark.parametrize("depth", range(880, 1000, 3))
def test_deep_bodies_are_changed_or_go_through(depth: int) -> None:
    given = json.dumps(body(GOOD)).encode()[:-1] + b', "deep": ' + b"[" * depth + b"]" * depth + b"}"
    found = shrunk(given)
    if found.report.note is None:
        assert found.body.endswith(b"[" * depth + b"]" * depth + b"}")
        assert found.report.changed == 1
    else:
        assert found.body is given
        assert found.report.changed == 0


def test_odd_json_keeps_its_form() -> None:
    form = '\n{ "n":NaN,"big":%s , "\\u006dodel":"x", "model" : "claude-sonnet-4-5","s":"\\ud83d",'
    form += '"messages": [ {"role":"user","content":[%s]} ] }\t'
    block = '{ "type": "i\\u006dage" ,"source":{"data":"%s","media_type":"image\\/png" , "type":"base64"} }'
    given = form % ("9" * 400, block % text_of(GOOD).replace("/", "\\/"))
    found = shrunk(given.encode())
    assert found.report.changed == 1
    data = json.loads(found.body)["messages"][0]["content"][0]["source"]["data"]
    new = block.replace("image\\/png", "image/png") % data
    assert found.body.decode() == form % ("9" * 400, new)


@pytest.mark.parametrize("model", ["llama-3-text", "", None, 5, ["claude-sonnet-4-5"], "x" * 10_000, "\ud800"])
def test_without_a_rule_all_images_go_through(model: Any) -> None:
    given = body(GOOD, model=model)
    found = shrunk(given)
    assert found.body is given
    assert [image.outcome.reason for image in found.report.images] == ["no token rule"]
    assert found.report.note is not None
    assert found.report.rule is None


def test_the_model_of_the_settings_counts_before_the_request_s_own() -> None:
    assert shrunk(body(GOOD, model="gpt-4o"), Settings(model="claude-opus-4-7")).report.rule == "claude-opus-4-7"
    assert shrunk(body(GOOD, model=None), model="claude-opus-4-7").report.rule == "claude-opus-4-7"
    assert shrunk(body(GOOD), model="claude-opus-4-7").report.rule == "claude-sonnet-4-5"


def test_a_fetched_image_that_is_bad_stays_a_url() -> None:
    given = body()
    given["messages"][0]["content"] = [{"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}]
    assert shrunk(given).report.images[0].outcome.reason == "not in the request itself"
    found = shrunk(given, fetched={"https://a.example/b": GOOD[:100]})
    assert found.body is given
    assert "damaged" in found.report.images[0].outcome.reason


def test_the_report_sums_up() -> None:
    report = shrunk(body(GOOD, "!", file_of(photo(200, 150, 1)))).report
    before, after = report.tokens
    assert before == 2 * resolve("claude-sonnet-4-5").count(200, 150)
    assert after <= before / 2
    assert report.changed == 2
    assert (report.wire_format, report.model, report.rule) == ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5")


def test_an_unknown_wire_format_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="wire format is 'x'"):
        rewrite({}, "x")


# --- the work --------------------------------------------------------------------------------------------------------


def test_what_is_alike_is_worked_on_once() -> None:
    asked: list[Job] = []

    def reduce(jobs: Sequence[Job]) -> list[Outcome]:
        asked.extend(jobs)
        return remembered(jobs)

    found = shrunk(body(GOOD, GOOD, file_of(photo(200, 150, 1)), GOOD), reduce=reduce)
    assert len(asked) == 2
    assert found.report.changed == 4
    first, *others = found.body["messages"][0]["content"]
    assert [others[0], others[2]] == [first, first]
    assert [image.repeats for image in found.report.images] == [None, first_path(), None, first_path()]


def first_path() -> tuple[str | int, ...]:
    return ("messages", 0, "content", 0)


def test_the_key_tells_apart_what_the_outcome_depends_on() -> None:
    rule = resolve("gpt-5.5")
    jobs = [
        Job("AAAA", rule, None, HALF),
        Job("AAAB", rule, None, HALF),
        Job("AAAA", resolve("gpt-4o"), None, HALF),
        Job("AAAA", rule, "low", HALF),
        Job("AAAA", rule, None, Settings()),
        Job("AAAA", rule, None, Settings(budget=1)),
        Job("AAAA", rule, None, Settings(budget=1.0)),
        Job("AAAA", rule, None, HALF, scaled=(5, 5)),
        Job("AAAA", resolve("claude-opus-4-7"), None, HALF, images=20),
        Job("AAAA", resolve("claude-opus-4-7"), None, HALF, images=21),
    ]
    assert len({job.key for job in jobs}) == len(jobs)
    assert jobs[0].key == Job("AAAA", rule, None, Settings(budget=0.5, operator="resize", repeats="note"), images=9).key


@pytest.mark.parametrize("like", ["iVBO", "aGk_", "a-k", "aGk", " aGk="])
def test_base64_stays_what_it_was(like: str) -> None:
    for data in (b"", b"?", b"hi?", b"\xff\xfe\xfd\xfc"):
        text = encoded(data, like)
        assert decoded(text) == data
        assert ("+" in text or "/" in text) <= not_safe(like)
        assert (len(text) % 4 == 0) >= (len(like.strip()) % 4 == 0)


def not_safe(like: str) -> bool:
    return "-" not in like and "_" not in like


def test_another_process_makes_the_same_bytes() -> None:
    given = json.dumps(body(GOOD, file_of(photo(200, 150), "JPEG"), file_of(page(300, 400)))).encode()
    settings = Settings(budget=0.5)
    here = rewrite(given, "anthropic", settings).body
    assert here != given
    program = (
        "import sys; from pixtrim.gateway import Settings, rewrite; "
        "sys.stdout.buffer.write(rewrite(sys.stdin.buffer.read(), 'anthropic', Settings(budget=0.5)).body)"
    )
    there = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, check=True, env=environment()
    ).stdout
    assert there == here


def environment() -> dict[str, str]:
    """Let the other process find what this one has, and hash in another order."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
