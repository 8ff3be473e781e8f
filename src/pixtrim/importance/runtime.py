"""ONNX networks, run by onnxruntime on the processor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pixtrim.errors import InputError, require

__all__ = ["session_of"]


def session_of(path: str | os.PathLike[str], purpose: str) -> tuple[Any, bytes]:
    """Load an ONNX network for one thread of the processor; return its session and the bytes of the file.

    Raises
    ------
    InputError
        If the file cannot be read or is none.
    MissingExtraError
        If onnxruntime is not installed.
    """
    runtime = require("onnxruntime", "onnx", purpose)
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file.name}: the network cannot be read ({error.strerror})") from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # pictures run side by side instead
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"]), data
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise InputError(f"{file.name}: not an ONNX network ({error!s:.80})") from None
