"""What `import pixtrim` offers, and what it pulls in."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pixtrim

AT_MOST = 12


def test_the_public_names_are_few_and_exist() -> None:
    assert len(pixtrim.__all__) <= AT_MOST
    assert len(set(pixtrim.__all__)) == len(pixtrim.__all__)
    assert [name for name in pixtrim.__all__ if not hasattr(pixtrim, name)] == []


def test_every_public_name_is_documented() -> None:
    assert [name for name in pixtrim.__all__ if name != "__version__" and not is_documented(name)] == []


def is_documented(name: str) -> bool:
    value = getattr(pixtrim, name)
    if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
        return False  # a plain value shows its type's documentation, not its own
    text = inspect.getdoc(value) or ""
    return len(text) > 20 and not text.startswith(f"{name}(")  # the text that a dataclass gives itself


def test_all_public_names_pull_in_numpy_and_pillow_only(tmp_path: Path) -> None:
    code = (
        "import json, sys; before = set(sys.modules); import pixtrim; "
        "[getattr(pixtrim, name) for name in pixtrim.__all__]; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    foreign = set(json.loads(answer.stdout)) - set(sys.stdlib_module_names)
    assert "pixtrim" in foreign
    assert foreign <= {"pixtrim", "numpy", "PIL"}


def test_import_alone_pulls_in_nothing_foreign(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import pixtrim; print(*sorted(set(sys.modules) - before))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in answer.stdout.split()}
    assert names - set(sys.stdlib_module_names) == {"pixtrim"}


def test_unknown_names_are_refused_and_known_ones_listed() -> None:
    assert not hasattr(pixtrim, "shrimk")
    assert set(pixtrim.__all__) <= set(dir(pixtrim))


def test_every_dependency_is_explained_in_the_documentation(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    needed += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in needed} - {"pixtrim"}  # type: ignore[index]
    page = (repository / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    spelled = {"opencv-python-headless": "opencv", "myst-parser": "myst parser"}
    assert {"numpy", "pillow", "pytest"} <= names
    assert [name for name in sorted(names) if f"[{spelled.get(name, name)}](" not in page] == []
