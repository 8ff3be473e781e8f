"""What is said about plans wherever JSON is written: `docs/json.md` describes each field."""

from __future__ import annotations

from typing import Any

from pixtrim.grid import PatchGrid
from pixtrim.operators.prune.plan import KeepPlan
from pixtrim.tokens import resolve

__all__ = ["plan_record"]


def plan_record(plan: KeepPlan, model: str) -> dict[str, Any]:
    """Return what a plan decided, for JSON.

    Parameters
    ----------
    plan : KeepPlan
    model : str
        The model that it was made for, by any name that `pixtrim.tokens.resolve` takes.
    """
    grid = plan.grid
    return {
        "model": resolve(model).name,
        "selector": plan.selector,
        "metric": plan.tolerance.metric,
        "threshold": plan.tolerance.threshold,
        "anchored": plan.anchored,
        "fit": grid.fit,
        "width": grid.width,
        "height": grid.height,
        "fitted_width": grid.fitted_width,
        "fitted_height": grid.fitted_height,
        "grid_h": grid.grid_h,
        "grid_w": grid.grid_w,
        "tokens": plan.tokens,
        "tokens_resized": PatchGrid.for_model(model, grid.width, grid.height).tokens,
        "kept": plan.kept,
        "ratio": round(plan.ratio, 6),
        "bound": plan.bound,
        "key": plan.key,
        "offsets": plan.offsets.tolist(),
        "warnings": _warnings(plan),
    }


def _warnings(plan: KeepPlan) -> list[str]:
    if plan.bounded:
        return []
    return [f"selector {plan.selector} drops tokens that are further than the threshold from what stands for them"]
