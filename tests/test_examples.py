"""The example pictures: drawn as a user draws them, the same every time, and true to what they claim."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZES = {
    "invoice": (1240, 1754),
    "statement": (1240, 1754),
    "two_columns": (1240, 1754),
    "dashboard": (1920, 1080),
    "mobile": (1080, 2340),
}
MONEY = re.compile(r"-?\$?[\d,]+\.\d\d\b")


def draw(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", str(repository / "examples" / "make_examples.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folder(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, in a folder that had to be made."""
    out = tmp_path_factory.mktemp("examples") / "a" / "b"
    done = draw(repository, str(out))
    assert done.returncode == 0, done.stderr
    return out


def read(folder: Path, name: str) -> list[str]:
    return (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def cents(line: str) -> list[int]:
    return [int(re.sub(r"[^\d-]", "", amount)) for amount in MONEY.findall(line)]


def after(lines: list[str], start: str) -> int:
    """Return the amount at the end of the one line that starts so."""
    (line,) = (line for line in lines if line.startswith(start))
    return cents(line)[-1]


def test_each_picture_has_its_size_and_text(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {f"{name}.{end}" for name in SIZES for end in ("png", "txt")}
    for name, size in SIZES.items():
        with Image.open(folder / f"{name}.png") as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", size)


def test_two_runs_write_the_same_bytes(repository: Path, folder: Path, tmp_path: Path) -> None:
    assert draw(repository, str(tmp_path)).returncode == 0
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("arguments", [("one", "two"), ("--help",)])
def test_anything_but_one_folder_is_bad_usage(repository: Path, arguments: tuple[str, ...]) -> None:
    done = draw(repository, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


@pytest.mark.parametrize("name", SIZES)
def test_the_picture_is_as_full_and_as_empty_as_its_kind(folder: Path, name: str) -> None:
    with Image.open(folder / f"{name}.png") as picture:
        pixels = np.asarray(picture)
    paper = (pixels == pixels[pixels.shape[0] // 2, -2]).all(axis=2)  # the right edge is nothing but paper
    assert 0.02 < 1 - paper.mean() < 0.95
    assert paper[:, -12:].mean() > 0.9
    quarters = [part for half in np.array_split(~paper, 2) for part in np.array_split(half, 2, axis=1)]
    assert min(quarter.mean() for quarter in quarters) > 0.01


@pytest.mark.parametrize("name", SIZES)
def test_every_character_is_in_the_built_in_font(folder: Path, name: str) -> None:
    """A character that the font lacks would be drawn as an empty box, and the text would not be what is shown."""
    assert set("".join(read(folder, name))) <= {*map(chr, range(32, 127)), "·"}


def test_the_invoice_adds_up(folder: Path) -> None:
    lines = read(folder, "invoice")
    table = lines[lines.index("Description Quantity Unit price Amount") + 1 : lines.index("Payment")]
    items = [re.fullmatch(rf".* (\d+) ({MONEY.pattern}) ({MONEY.pattern})", line) for line in table]
    found = [(int(item[1]), cents(item[2])[0], cents(item[3])[0]) for item in items if item]
    assert len(found) == 7
    assert all(quantity * price == amount for quantity, price, amount in found)
    assert after(lines, "Subtotal") == sum(amount for *_, amount in found)
    assert after(lines, "Tax 20%") * 5 == after(lines, "Subtotal")
    assert after(lines, "Total due") == after(lines, "Subtotal") + after(lines, "Tax 20%")


def test_every_balance_of_the_statement_follows_from_the_one_before(folder: Path) -> None:
    rows = [line for line in read(folder, "statement") if re.match(r"\d\d Mar ", line)]
    first, *transactions, last = rows
    assert len(transactions) == 45
    assert transactions == sorted(transactions, key=lambda row: row[:2])
    (balance,) = cents(first)
    changes = []
    for row in transactions:
        amount, after_it = cents(row)
        changes.append(after_it - balance)
        assert abs(changes[-1]) == amount, row
        balance = after_it
    paid_in, paid_out = sum(c for c in changes if c > 0), -sum(c for c in changes if c < 0)
    assert cents(last) == [paid_out, paid_in, balance]


def test_the_dashboard_agrees_with_itself(folder: Path) -> None:
    lines = read(folder, "dashboard")
    days = lines.index("Mon Tue Wed Thu Fri Sat Sun")
    counts = [int(line.replace(",", "")) for line in lines[days - 7 : days]]
    assert int(lines[lines.index("Shipments this week") + 1].replace(",", "")) == sum(counts)
    rows = [line for line in lines if line.startswith("NF-")]
    assert lines[lines.index("Value at risk") + 1] == f"${sum(cents(row)[-1] for row in rows) / 100:,.2f}"
    assert f"Open exceptions {len(rows)} shipments" in lines


def test_the_order_adds_up(folder: Path) -> None:
    lines = read(folder, "mobile")
    start, end = lines.index("10 items Edit") + 1, next(at for at, line in enumerate(lines) if "Subtotal" in line)
    total = pieces = 0
    for name, detail in zip(lines[start:end:2], lines[start + 1 : end : 2], strict=True):
        many = re.match(r"(\d+) x (\$[\d.]+) ", detail)
        quantity, price = (int(many[1]), cents(many[2])[0]) if many else (1, cents(name)[0])
        assert quantity * price == cents(name)[0]
        total, pieces = total + quantity * price, pieces + quantity
    assert pieces == 10
    assert after(lines, "Subtotal") == total
    assert after(lines, "Total") == total + after(lines, "Delivery") + after(lines, "Voucher")


def test_the_report_reads_down_one_column_and_then_the_other(folder: Path) -> None:
    lines = read(folder, "two_columns")
    headings = [at for at, line in enumerate(lines) if re.match(r"\d\. [A-Z]", line)]
    assert [lines[at][0] for at in headings] == list("123456")
    assert lines.index("Year") > headings[3]
    assert 600 < len(" ".join(lines).split()) < 1000
