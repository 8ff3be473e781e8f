"""What pytest leaves out where PyTorch is not installed: modules and tests that cannot be imported without it."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = (
    []
    if find_spec("torch")
    else ["src/pixtrim/engines/mrope.py", "src/pixtrim/engines/transformers/*", "tests/engines/*"]
)
