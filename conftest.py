"""What pytest leaves out where PyTorch, vLLM or the SDKs are not installed: what cannot be imported without them."""

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
hosts = ("langchain", "litellm", "mcp")  # modules of the gateway have the names of what they import
collect_ignore_glob += [f"src/pixtrim/gateway/{name}.py" for name in hosts if not find_spec(name)]
if not all(map(find_spec, ("openai", "anthropic", *hosts))):
    collect_ignore_glob += ["tests/sdks"]
