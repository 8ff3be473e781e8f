"""What users say about pruning: once for an engine, and again for a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from pixtrim.errors import UsageError
from pixtrim.pruning import Settings

__all__ = ["KEY", "OFF", "Policy", "check_engine", "engine_policy", "split_kwargs"]

KEY = "pixtrim"
"""The name under which both ``hf_overrides`` and ``mm_processor_kwargs`` have a policy."""

OFF = "off"
NAMES = tuple(field.name for field in fields(Settings))
Policy = Settings | None
"""Which tokens go; None: none."""


def engine_policy(hf_config: Any) -> tuple[bool, Policy]:
    """Read an engine's policy from the configuration of its model.

    Parameters
    ----------
    hf_config
        With an attribute ``pixtrim`` where ``hf_overrides`` has that key.

    Returns
    -------
    enabled : bool
        Whether there is one; else the engine is vLLM as it is, and requests cannot ask for pruning.
    policy : Settings or None
        What holds for requests that say nothing.

    Raises
    ------
    UsageError
        If it is neither settings nor ``"off"``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> engine_policy(SimpleNamespace())
    (False, None)
    >>> engine_policy(SimpleNamespace(pixtrim="off"))
    (True, None)
    >>> engine_policy(SimpleNamespace(pixtrim={"threshold": 2}))[1].threshold
    2
    """
    given = getattr(hf_config, KEY, None)
    if given is None:
        return False, None
    return True, read(given, None, "hf_overrides")


def split_kwargs(enabled: bool, policy: Policy, kwargs: Mapping[str, Any]) -> tuple[Policy, dict[str, Any]]:
    """Take a request's policy out of its ``mm_processor_kwargs``.

    Parameters
    ----------
    enabled, policy
        The engine's, from `engine_policy`.
    kwargs : mapping
        What the request has.

    Returns
    -------
    policy : Settings or None
        What holds for the request: the engine's settings, save for those that it names.
    rest : dict
        What is meant for the processor.

    Raises
    ------
    UsageError
        If the request's policy is not one, or the engine has none.

    Examples
    --------
    >>> policy, rest = split_kwargs(True, Settings(metric="mae"), {"pixtrim": {"threshold": 3}, "min_pixels": 4096})
    >>> policy.metric, policy.threshold, rest
    ('mae', 3, {'min_pixels': 4096})
    >>> split_kwargs(True, Settings(), {"pixtrim": "off"})
    (None, {})
    """
    rest = dict(kwargs)
    if KEY not in rest:
        return policy, rest
    given = rest.pop(KEY)
    if not enabled:
        raise UsageError(
            f"{KEY} is {given!r} in mm_processor_kwargs, but the engine was started without it: start it with "
            f"""--hf-overrides '{{"{KEY}": "{OFF}"}}', and requests can ask for pruning"""
        )
    return read(given, policy, "mm_processor_kwargs"), rest


def check_engine(config: Any) -> None:
    """Refuse settings of vLLM under which images could not be pruned rightly.

    Parameters
    ----------
    config : MultiModalConfig
        Of an engine that has a policy.

    Raises
    ------
    UsageError
        If there is one.
    """
    if KEY in (config.mm_processor_kwargs or {}):
        raise UsageError(f"{KEY} is in --mm-processor-kwargs, which is for processors: give it as --hf-overrides")
    if config.mm_encoder_tp_mode == "data":
        raise UsageError(
            'mm_encoder_tp_mode is "data", by which encoders share pictures out by the size of their grids: '
            "with pixtrim, start with --mm-encoder-tp-mode weights"
        )
    if config.is_multimodal_pruning_enabled():
        raise UsageError(
            f"video_pruning_rate is {config.video_pruning_rate}, which numbers the places of images anew: "
            "with pixtrim, start without it"
        )


def read(given: Any, base: Policy, where: str) -> Policy:
    """Read settings or ``"off"``; what is not named is as in `base`, or by default."""
    if given == OFF:
        return None
    if not isinstance(given, Mapping):
        raise UsageError(f'{KEY} is {given!r} in {where}: give settings, such as {{"threshold": 0}}, or "{OFF}"')
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        raise UsageError(
            f"unknown setting {', '.join(map(repr, unknown))} of {KEY} in {where}: choose from {', '.join(NAMES)}"
        )
    return replace(base or Settings(), **given)
