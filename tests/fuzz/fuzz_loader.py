"""Feed mutated files to a target and insist that each ends in a result or in a `PixtrimError`.

    python tests/fuzz/fuzz_loader.py --runs 100000 --seed 0 [--seconds N] [--save FOLDER]

Worker processes run the inputs under a limit on address space and on time; a crash, a hang, an exception of another
kind, a result of another shape, or memory past the limit is a failure. The corpus is made here, and input number `i`
depends on the seed and `i` alone, so any run can be repeated; `--replay FILE` feeds one saved input to the target in
this process.
"""

from __future__ import annotations

import argparse
import io
import logging
import multiprocessing
import os
import re
import resource
import signal
import struct
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from pixtrim.errors import PixtrimError
from pixtrim.image import load

MAX_PIXELS = 2_000_000
INTERESTING = (0, 1, 2, 3, 7, 8, 15, 16, 63, 64, 127, 128, 255, 256, 1000, 1414, 1415, 32767, 32768, 65535, 65536)
INTERESTING_WIDE = (2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 1)

Mutation = Callable[[Random, bytes], bytes]


class Hang(BaseException):
    """The input took too long; not an Exception, so that no handler in the library takes it for damage."""


# --- the corpus ----------------------------------------------------------------------------------------------------


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@cache
def pictures() -> tuple[bytes, ...]:
    """Small pictures in every format and mode that Pillow writes, and a PDF where PDFium is installed."""
    rng = np.random.default_rng(0)
    base = Image.fromarray(rng.integers(0, 256, (13, 21, 3), dtype=np.uint8))
    modes = {mode: base.convert(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")}
    modes["I;16"] = Image.fromarray(rng.integers(0, 65536, (13, 21), dtype=np.uint16))
    modes["F"] = Image.fromarray(rng.random((13, 21), dtype=np.float32))
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "text " * 30, zip=True)
    info.add_itxt("Titel", "Überschrift", "de", "Titel", zip=True)

    png = [saved(modes[m], "PNG") for m in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
    png.append(saved(base, "PNG", exif=exif, pnginfo=info, icc_profile=bytes(200), dpi=(72, 72)))
    png.append(saved(modes["P"], "PNG", transparency=bytes(range(0, 250, 10)), bits=8))
    png.append(saved(modes["RGB"], "PNG", transparency=(1, 2, 3)))
    png.append(saved(base, "PNG", save_all=True, append_images=[base.rotate(180)], duration=20))
    jpeg = [saved(modes[m], "JPEG") for m in ("L", "RGB", "CMYK")]
    jpeg.append(saved(base, "JPEG", exif=exif, progressive=True, icc_profile=bytes(100), comment=b"hello"))
    webp = [saved(base, "WEBP"), saved(modes["RGBA"], "WEBP", lossless=True, exif=exif)]
    webp.append(saved(base, "WEBP", save_all=True, append_images=[base.rotate(180)]))
    gif = [saved(modes[m], "GIF") for m in ("1", "L", "P", "RGBA")]
    gif.append(saved(modes["P"], "GIF", save_all=True, append_images=[modes["P"].rotate(180)], loop=0))
    bmp = [saved(modes[m], "BMP") for m in ("1", "L", "P", "RGB", "RGBA")]
    tiff = [saved(modes[m], "TIFF") for m in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "YCbCr")]
    tiff += [
        saved(base, "TIFF", compression=c, exif=exif) for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    ]
    tiff.append(saved(modes["1"], "TIFF", compression="group4"))
    tiff.append(saved(base, "TIFF", save_all=True, append_images=[base, base]))
    pdf = [small_pdf(), saved(base, "PDF")] if find_spec("pypdfium2") else []
    return (*png, *jpeg, *webp, *gif, *bmp, *tiff, *pdf)


def small_pdf() -> bytes:
    """Make a PDF of two pages of vector content."""
    drawing = b"1 0 0 rg 5 5 20 10 re f 0 0 1 RG 2 w 0 0 m 30 20 l S BT /F 8 Tf 4 4 Td (text) Tj ET"
    font = b"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 40 30] /Contents 4 0 R /Resources " + font + b" >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 >>",
        page,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing),
        page,
    ]
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


# --- mutations -----------------------------------------------------------------------------------------------------


def number(rng: Random, size: int) -> int:
    choices = INTERESTING if size < 4 else INTERESTING + INTERESTING_WIDE
    return (rng.choice(choices) if rng.random() < 0.8 else rng.getrandbits(8 * size)) % (1 << 8 * size)


def span(rng: Random, length: int, most: int = 64) -> slice:
    start = rng.randrange(length + 1)
    return slice(start, min(length, start + rng.randint(1, most)))


def flip_bits(rng: Random, data: bytes) -> bytes:
    edited = bytearray(data)
    for _ in range(rng.randint(1, 8) if edited else 0):
        edited[rng.randrange(len(edited))] ^= 1 << rng.randrange(8)
    return bytes(edited)


def overwrite_number(rng: Random, data: bytes) -> bytes:
    """Write a telling integer somewhere, mostly into the header."""
    size = rng.choice((1, 2, 4))
    at = rng.randrange(max(1, min(len(data), rng.choice((32, 64, 200, len(data) or 1)))))
    value = number(rng, size).to_bytes(size, rng.choice(("little", "big")))
    return data[:at] + value + data[at + size :]


def truncate(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def delete(rng: Random, data: bytes) -> bytes:
    cut = span(rng, len(data))
    return data[: cut.start] + data[cut.stop :]


def insert(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 4, 16, 300))) + data[at:]


def repeat(rng: Random, data: bytes) -> bytes:
    cut = span(rng, len(data), 200)
    return data[: cut.stop] + data[cut] * rng.choice((1, 2, 50)) + data[cut.stop :]


def splice(rng: Random, data: bytes) -> bytes:
    other = rng.choice(pictures())
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


BLIND: tuple[Mutation, ...] = (flip_bits, overwrite_number, truncate, delete, insert, repeat, splice)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def mutate_png(rng: Random, data: bytes) -> bytes:
    """Edit chunks and give them right checksums, so that the edit reaches the decoder."""
    chunks = list(png_chunks(data))
    if not chunks or len(chunks[0][1]) < 13:
        return flip_bits(rng, data)
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    match rng.randrange(8):
        case 0:  # the header
            fields = bytearray(chunks[0][1])
            if rng.random() < 0.5:
                place = rng.choice((0, 4))
                fields[place : place + 4] = number(rng, 4).to_bytes(4, "big")
            else:
                fields[rng.randrange(8, 13)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
            chunks[0] = (chunks[0][0], bytes(fields))
        case 1:
            chunks.insert(rng.randrange(len(chunks) + 1), chunks[at])
        case 2:
            del chunks[at]
        case 3:
            other = rng.randrange(len(chunks))
            chunks[at], chunks[other] = chunks[other], chunks[at]
        case 4:  # below the compression
            pixels = [i for i, (n, _) in enumerate(chunks) if n == b"IDAT"]
            if pixels:
                try:
                    rows = zlib.decompress(chunks[pixels[0]][1])
                except zlib.error:
                    rows = b""
                chunks[pixels[0]] = (b"IDAT", zlib.compress(rng.choice(BLIND)(rng, rows)))
        case 5:  # a bomb in a text or profile chunk
            bomb = zlib.compress(bytes(rng.choice((1000, 2**20, 2**24))), 9)
            kind, start = rng.choice(((b"zTXt", b"k\0\0"), (b"iCCP", b"p\0\0"), (b"iTXt", b"k\0\1\0\0\0")))
            chunks.insert(rng.randint(1, len(chunks)), (kind, start + bomb))
        case 6:
            chunks[at] = (
                rng.choice((name, b"tRNS", b"PLTE", b"acTL", b"fcTL", b"eXIf", b"gAMA", b"pHYs", b"fdAT")),
                body,
            )
        case _:
            chunks[at] = (name, rng.choice(BLIND)(rng, body))
    edited = b"".join(struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)
    return data[:8] + edited


def mutate_jpeg(rng: Random, data: bytes) -> bytes:
    """Edit, repeat or drop a marker segment."""
    places = [m.start() for m in re.finditer(rb"\xff[\xc0-\xfe]", data[: data.find(b"\xff\xda") + 20])]
    if not places:
        return flip_bits(rng, data)
    at = rng.choice(places)
    length = struct.unpack(">H", data[at + 2 : at + 4].ljust(2, b"\0"))[0] + 2
    segment = data[at : at + length]
    match rng.randrange(5):
        case 0:
            return data[:at] + segment * rng.choice((2, 3, 100)) + data[at + length :]
        case 1:
            return data[:at] + data[at + length :]
        case 2:
            return data[: at + 2] + number(rng, 2).to_bytes(2, "big") + data[at + 4 :]
        case 3:
            return data[: at + 1] + bytes([rng.randrange(0xC0, 0xFF)]) + data[at + 2 :]
        case _:
            return data[: at + 4] + overwrite_number(rng, segment[4:]) + data[at + length :]


def mutate_tiff(rng: Random, data: bytes) -> bytes:
    """Edit an entry of the first directory, or its link to the next."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8 or (first := struct.unpack(order + "I", data[4:8])[0]) + 2 > len(data):
        return flip_bits(rng, data)
    entries = struct.unpack(order + "H", data[first : first + 2])[0]
    edited = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = first + 2 + 12 * rng.randrange(entries + 1)
        place, size = rng.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 2)))
        if place == 0:
            value = rng.choice(
                (256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 322, 323, 338, 339, 34675)
            )
        elif place == 2:
            value = rng.randint(0, 18)
        else:
            value = number(rng, size)
        edited[at + place : at + place + size] = struct.pack(order + ("H" if size == 2 else "I"), value)
    return bytes(edited)


def mutate_pdf(rng: Random, data: bytes) -> bytes:
    """Replace a number by a telling one, or a keyword by another."""
    tokens = list(re.finditer(rb"-?\d+(?:\.\d+)?|/[A-Z][A-Za-z]+", data))
    if not tokens:
        return flip_bits(rng, data)
    token = rng.choice(tokens)
    if token[0].startswith(b"/"):
        new = rng.choice(tokens)[0]
    else:
        new = rng.choice(
            (b"-1", b"0", b"1e9", b"14400", b"99999999999", b"-99999999", b"0.00001", b"%d" % number(rng, 4))
        )
    return data[: token.start()] + new + data[token.end() :]


STRUCTURAL = (
    (b"\x89PNG", mutate_png),
    (b"\xff\xd8", mutate_jpeg),
    (b"II", mutate_tiff),
    (b"MM", mutate_tiff),
    (b"%PDF", mutate_pdf),
)


def mutate_picture(rng: Random) -> bytes:
    data = rng.choice(pictures())
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        fitting = [mutation for start, mutation in STRUCTURAL if data.startswith(start)]
        mutation = rng.choice(fitting if fitting and rng.random() < 0.6 else BLIND)
        data = mutation(rng, data)[: 2**20]
    return data


# --- targets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What is fuzzed: `make` gives an input, `run` uses it and answers with a word for the statistics."""

    make: Callable[[Random], bytes]
    run: Callable[[bytes], str]


def check(holds: bool, complaint: str) -> None:
    if not holds:
        raise AssertionError(complaint)


def load_bytes(data: bytes) -> str:
    try:
        loaded = load(data, max_pixels=MAX_PIXELS)
    except PixtrimError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError("the loader asked for more than the memory limit") from error
        check(str(error).isprintable(), "more than one printable line")
        check(str(error).startswith("<bytes>: "), "the message does not name its input")
        return "refused"
    pixels = loaded.pixels
    check(pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3, f"{pixels.dtype} {pixels.shape}")
    check(0 < pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS, f"{pixels.shape} is over the cap")
    check(pixels.flags.c_contiguous, "not contiguous")
    return "loaded"


TARGETS = {"loader": Target(mutate_picture, load_bytes)}


# --- running -------------------------------------------------------------------------------------------------------


def make_input(target: str, seed: int, index: int) -> bytes:
    return TARGETS[target].make(Random(f"{seed}/{index}"))


def limit_memory(mebibytes: int) -> None:
    """Allow so much address space beyond what the process has now."""
    used = 0
    if Path("/proc/self/statm").exists():
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + mebibytes * 2**20,) * 2)


def raise_hang(signum: int, frame: FrameType | None) -> None:
    raise Hang


def work(target: str, seed: int, indices: range, options: argparse.Namespace, state: Any, results: Connection) -> None:
    """Run inputs; `state` tells the parent since when the current one runs, should it hang beyond the alarm."""
    warnings.simplefilter("ignore")
    logging.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes there by itself
    signal.signal(signal.SIGALRM, raise_hang)
    TARGETS[target].run(TARGETS[target].make(Random(0)))  # import what is lazy before the limit is set
    if find_spec("pypdfium2") and target == "loader":
        load(small_pdf())
    limit_memory(options.memory)
    for index in indices:
        state[0] = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, options.timeout)
        try:
            outcome, detail = TARGETS[target].run(make_input(target, seed, index)), ""
        except Hang:
            outcome, detail = "HANG", f"over {options.timeout} s"
        except BaseException as error:
            outcome, detail = "FAILED", f"{type(error).__name__}: {error}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        results.send((index, outcome, detail))
    state[0] = 0.0


@dataclass
class Worker:
    """One process and the inputs that are left for it."""

    indices: range
    process: Any = None
    state: Any = None
    results: Any = None
    done: bool = False

    def start(self, options: argparse.Namespace) -> None:
        fork = multiprocessing.get_context("fork")
        self.results, sender = fork.Pipe(duplex=False)
        self.state = fork.Array("d", [0.0], lock=False)
        arguments = (options.target, options.seed, self.indices, options, self.state, sender)
        self.process = fork.Process(target=work, args=arguments, daemon=True)
        self.process.start()
        sender.close()

    def collect(self) -> Iterator[tuple[int, str, str]]:
        try:
            while self.results.poll():
                index, outcome, detail = self.results.recv()
                self.indices = range(index + self.indices.step, self.indices.stop, self.indices.step)
                yield index, outcome, detail
        except EOFError:
            pass

    def stuck(self, options: argparse.Namespace) -> bool:
        """Whether an input runs on although its alarm must have rung: it never left native code."""
        return bool(self.state[0]) and time.monotonic() - self.state[0] > 3 * options.timeout + 5


@dataclass
class Report:
    """What happened so far."""

    runs: int
    save: Path | None
    counts: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, index: int, outcome: str, detail: str, options: argparse.Namespace) -> None:
        self.counts[outcome.split(" ")[0]] += 1
        if outcome[0].islower():
            return
        self.failures += 1
        print(f"input {index}: {outcome} {detail}", flush=True)
        if self.save is not None:
            self.save.mkdir(parents=True, exist_ok=True)
            data = make_input(options.target, options.seed, index)
            (self.save / f"{options.target}-{options.seed}-{index}.bin").write_bytes(data)

    def line(self) -> str:
        total, seconds = sum(self.counts.values()), time.monotonic() - self.started
        words = ", ".join(f"{count} {word}" for word, count in sorted(self.counts.items()))
        return f"{total} runs of {self.runs} in {seconds:.0f} s, {total / max(seconds, 1e-9):.0f} a second: {words}"


def fuzz(options: argparse.Namespace) -> int:
    """Run the workers to the end and return the exit code."""
    report = Report(options.runs, options.save)
    workers = [Worker(range(w, options.runs, options.workers)) for w in range(options.workers)]
    for worker in workers:
        worker.start(options)
    shown = time.monotonic()
    while not all(worker.done for worker in workers):
        time.sleep(0.05)
        for worker in workers:
            if worker.done:
                continue
            ended = not worker.process.is_alive()  # asked before collecting, so that nothing sent before is missed
            for index, outcome, detail in worker.collect():
                report.add(index, outcome, detail, options)
            if not worker.indices:
                worker.process.join()
                worker.done = True
            elif ended or worker.stuck(options):
                worker.process.kill()
                worker.process.join()
                fall = f"CRASH (exit code {worker.process.exitcode})" if ended else "HANG"
                report.add(worker.indices[0], fall, "", options)
                worker.indices = worker.indices[1:]
                worker.done = not worker.indices
                if not worker.done:
                    worker.start(options)
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            print(report.line(), flush=True)
        if options.seconds and time.monotonic() - report.started > options.seconds:
            for worker in workers:
                worker.process.kill()
                worker.done = True
    print(report.line())
    print("no failures" if not report.failures else f"{report.failures} FAILURES")
    return 1 if report.failures else 0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--target", choices=sorted(TARGETS), default="loader")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long; 0 is never")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=10, help="seconds for one input")
    parser.add_argument("--memory", type=int, default=512, help="MiB of address space beyond the start")
    parser.add_argument("--save", type=Path, help="folder for inputs that fail")
    parser.add_argument("--replay", type=Path, help="feed this one file to the target")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    if options.replay is not None:
        print(TARGETS[options.target].run(options.replay.read_bytes()))
        return 0
    return fuzz(options)


if __name__ == "__main__":
    sys.exit(main())
