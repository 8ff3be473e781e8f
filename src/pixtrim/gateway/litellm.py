"""A callback for LiteLLM's proxy: requests that pass through it get smaller images.

In the proxy's ``config.yaml``::

    litellm_settings:
      callbacks: pixtrim.gateway.litellm.shrinker

For other settings, put ``shrinker = Shrinker(Settings(...))`` into a file of your own beside ``config.yaml``, say
``images.py``, and name it there: ``callbacks: images.shrinker``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

from litellm.integrations.custom_logger import CustomLogger

from pixtrim.gateway.hook import DEFAULTS, Hook, OnReport
from pixtrim.gateway.settings import Settings

__all__ = ["Shrinker", "shrinker"]

WIRE_FORMATS: Final = {
    "completion": "openai-chat",
    "acompletion": "openai-chat",
    "anthropic_messages": "anthropic",
    "aanthropic_messages": "anthropic",
    "responses": "openai-responses",
    "aresponses": "openai-responses",
    "generate_content": "gemini",
    "agenerate_content": "gemini",
    "generate_content_stream": "gemini",
    "agenerate_content_stream": "gemini",
}
"""By the kinds of calls; the proxy's own requests are the asynchronous ones."""


class Shrinker(CustomLogger):
    """Makes images smaller before the proxy has chosen a deployment.

    LiteLLM calls a hook only if the object's own class defines it: make objects of this class, derive none from it.

    Parameters
    ----------
    settings : Settings
        What is done. Tokens are counted by the rule of the model that the proxy's name for it stands for, the first one
        where it stands for several.
    on_report : callable, optional
        Is called, in a thread, with the `RewriteReport` of each request.

    Raises
    ------
    UsageError
        If the settings ask to map clicks.
    """

    def __init__(self, settings: Settings = DEFAULTS, on_report: OnReport | None = None) -> None:
        super().__init__()
        self._hook = Hook(settings, on_report)

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Return the request with smaller images; LiteLLM calls this."""
        wire_format, name = WIRE_FORMATS.get(call_type), data.get("model")
        if wire_format is None or not isinstance(name, str):
            return data
        request = {**data, "model": _deployed(name) or name}
        smaller = await asyncio.to_thread(self._hook, request, wire_format)
        return data if smaller is request else {**smaller, "model": name}


def _deployed(name: str) -> str | None:
    """Return the model that a name of the proxy's stands for, if the proxy knows it."""
    proxy = sys.modules.get("litellm.proxy.proxy_server")  # is there if this process is a proxy
    router = getattr(proxy, "llm_router", None)
    if router is None:
        return None
    new = hasattr(router, "registry")  # since LiteLLM 1.109
    found = router.registry().deployments(name) if new else router.get_model_list(model_name=name)
    model: str | None = found[0]["litellm_params"]["model"] if found else None
    return model


shrinker: Final = Shrinker()
"""With the default settings."""
