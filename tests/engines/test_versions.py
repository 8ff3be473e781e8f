"""The versions of transformers that are tested, and what is said to the others."""

from __future__ import annotations

import pytest
import transformers

from pixtrim.engines.transformers.versions import check_version
from pixtrim.errors import UsageError


def test_the_installed_version_is_one_of_those_tested() -> None:
    check_version()
    check_version(transformers.__version__)


@pytest.mark.parametrize("version", ["4.57.6", "5.0.0", "5.17.0", "5.25.0", "6.0.0", "5.99.0.dev0"])
def test_others_are_refused_with_the_remedy(version: str) -> None:
    with pytest.raises(UsageError, match=rf"transformers is {version}: .*; pip install \"transformers>=5.18,<5.25\""):
        check_version(version)


@pytest.mark.parametrize("version", ["", "five", "5"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(UsageError, match="not understood: pip install"):
        check_version(version)
