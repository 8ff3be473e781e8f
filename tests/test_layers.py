"""Imports of the package point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

# A module may import from the lines above its own and from its own room, which is a string here; the rooms of one line
# do not import one another. "pixtrim" is the door, the package's __init__.py.
LAYERS = (
    ("errors",),
    ("image pixels pdf png", "coordinates", "tokens", "kernels _native"),
    ("grid",),
    ("importance",),
    ("operators",),
    ("inspection", "legibility"),
    ("draw",),
    ("result",),
    ("pipeline", "pruning"),
    ("engines",),
    ("pixtrim",),
    ("evaluation", "gateway"),
    ("cli __main__",),
)
Places = dict[str, tuple[int, int]]
PLACES: Places = {
    name: (line, place)
    for line, rooms in enumerate(LAYERS)
    for place, room in enumerate(rooms)
    for name in room.split()
}


def violations(package: Path, places: Places) -> list[str]:
    """Say which imports below the folder of a package break the order."""
    found = []
    for path in sorted(package.rglob("*.py*")):
        if path.suffix not in {".py", ".pyi"}:
            continue
        importer = part_of(path, package)
        for line, imported in imports(path, package):
            missing = {importer, imported} - places.keys()
            if missing:
                found.append(f"{path.name}:{line}: give {', '.join(sorted(missing))} a place in LAYERS")
                continue
            (layer, room), (other_layer, other_room) = places[importer], places[imported]
            if other_layer > layer or (other_layer == layer and other_room != room):
                found.append(f"{path.name}:{line}: {importer} must not import {imported}")
    return found


def part_of(path: Path, package: Path) -> str:
    """Name the part (top-level module or sub-package) that a file belongs to; the package's own name for its door."""
    name = path.relative_to(package).with_suffix("").parts[0]
    return package.name if name == "__init__" else name


def imports(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the part for every import of the package's own modules, in functions too."""
    above = [package.name, *path.relative_to(package).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*above[: len(above) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            modules = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for module in modules:
            root, _, rest = module.partition(".")
            part = rest.partition(".")[0]
            if root == package.name:
                is_module = any((package / name).exists() for name in (part, f"{part}.py", f"{part}.pyi") if part)
                yield node.lineno, part if is_module else root


def test_imports_of_the_package_point_one_way(repository: Path) -> None:
    package = repository / "src" / "pixtrim"
    assert sum(1 for path in package.rglob("*.py") for _ in imports(path, package)) > 3
    assert violations(package, PLACES) == []


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        ("low.py", "import errors", None),
        ("low.py", "from pack import errors", None),
        ("high/inner.py", "from pack.low import thing", None),
        ("high/inner.py", "from . import other", None),
        ("high/inner.py", "from ..low import thing", None),
        ("high/inner.py", "from .. import low", None),
        ("top.py", "from pack import __version__", None),
        ("__init__.py", "from pack.high import thing", None),
        ("low.py", "from pack.high import thing", "low.py:1: low must not import high"),
        ("low.py", "import pack.high.inner as inner", "low.py:1: low must not import high"),
        ("low.py", "from pack import high", "low.py:1: low must not import high"),
        ("low.py", "def f():\n    from pack import high\n", "low.py:2: low must not import high"),
        ("low.py", "from .high.inner import thing", "low.py:1: low must not import high"),
        ("low.py", "from pack import thing", "low.py:1: low must not import pack"),
        ("low.py", "import pack", "low.py:1: low must not import pack"),
        ("low.py", "from pack import beside", "low.py:1: low must not import beside"),
        ("high/inner.py", "from ..top import thing", "inner.py:1: high must not import top"),
        ("low.pyi", "from pack import top", "low.pyi:1: low must not import top"),
        ("stray.py", "from pack import errors", "stray.py:1: give stray a place in LAYERS"),
    ],
)
def test_the_checker_finds_a_planted_violation(tmp_path: Path, file: str, source: str, message: str | None) -> None:
    package = tmp_path / "pack"
    for name in ("errors.py", "low.py", "beside.py", "high/__init__.py", "high/inner.py", "top.py", "__init__.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    (package / file).write_text(source, encoding="utf-8")
    places = {"errors": (0, 0), "low": (1, 0), "beside": (1, 1), "high": (2, 0), "pack": (3, 0), "top": (4, 0)}
    assert violations(package, places) == ([] if message is None else [message])
