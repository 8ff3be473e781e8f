"""What pytest leaves out where PyTorch or vLLM is not installed: what cannot be imported without it."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = []
if not find_spec("torch"):
    collect_ignore_glob += [
        *(f"src/pixtrim/engines/{name}" for name in ("mrope.py", "pixels.py", "windows.py", "transformers/*")),
        "tests/engines",
    ]
# These import vLLM, which warns, and have no examples.
modules = ("counts", "dummies", "models", "processor", "vision")
collect_ignore_glob += [f"src/pixtrim/engines/vllm/{name}.py" for name in modules]
if not find_spec("vllm"):
    collect_ignore_glob += ["tests/serving"]
