"""The README's example, as written, against a model's folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pictures import page
from PIL import Image
from tiny import save

README = Path(__file__).parents[2] / "README.md"


def test_the_example_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text(encoding="utf-8")
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "TransformersPruner" in code)
    (folder,) = re.findall(r'folder = "([\w.-]+)"', example)
    save("qwen3_vl", tmp_path / folder)
    Image.fromarray(page()).save(tmp_path / "dashboard.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert re.search(r"\d+ of 108 visual tokens \(\d+\.\d%\)$", said.strip())
