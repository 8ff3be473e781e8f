"""What a picture is, and where it must not fold."""

from __future__ import annotations

from pixtrim.inspection.kind import Inspection, Kind, inspect
from pixtrim.inspection.plots import find_plots

__all__ = ["Inspection", "Kind", "find_plots", "inspect"]
