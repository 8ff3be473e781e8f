"""Sphinx configuration."""

from __future__ import annotations

import re
from typing import Any

import pixtrim

project = "pixtrim"
author = "the pixtrim authors"
copyright = author
release = version = pixtrim.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"  # the docstrings name the types
autodoc_member_order = "bysource"
autodoc_mock_imports = ["torch", "transformers"]  # what the engines say of themselves needs neither
default_role = "code"

html_theme = "furo"
html_title = f"pixtrim {release}"


def number_references(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make the references of a docstring a numbered list: footnotes of docstrings on one page would get mixed up."""
    for at, line in enumerate(lines):
        lines[at] = re.sub(r"^(\s*)\.\. \[(\d+)\] ", r"\1\2. ", re.sub(r"\[(\d+)\]_", r"[\1]", line))


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", number_references)
