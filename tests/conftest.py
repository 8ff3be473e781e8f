"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run and machine, and no deadline: a slow machine is not a failure.
settings.register_profile("pixtrim", derandomize=True, deadline=None)
settings.load_profile("pixtrim")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real pictures for evaluation, which are not part of the repository: a folder beside it."""
    folder = repository.parent / "shared" / "data"
    if not (folder / "manifest.csv").is_file():
        pytest.skip("the evaluation data are not beside the repository (../shared/data)")
    return folder
