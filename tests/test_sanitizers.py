"""The C++ kernels under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_kernels_run_clean_and_agree_at_every_level(repository: Path) -> None:
    beside_python = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    cmake = shutil.which("cmake", path=beside_python)
    if sys.platform == "win32":
        pytest.skip("the sanitizer build is written for GCC and Clang")
    if cmake is None or not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("needs cmake and a C++ compiler")
    build = repository / "build" / "sanitize"
    run(cmake, "-S", repository, "-B", build, "-DPIXTRIM_SANITIZE=ON", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    run(cmake, "--build", build)
    assert "inputs agree at the levels: baseline" in run(build / "sanitize")


def run(*command: str | Path) -> str:
    """Run a command; on failure show what it said."""
    answer = subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"{command[0]} failed\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout
