"""pixtrim in front of other people's evaluation harnesses: their models, data and grades, on reduced pictures.

A `Front` reduces the pictures; the modules `lmms_eval` and `vlmevalkit` put one before any model that those harnesses
know. To learn what an operator costs, run the same task three times: without a front, with the operator, and with
``"resize"`` at the same budget.
"""

from __future__ import annotations

from pixtrim.evaluation.harnesses.front import Front

__all__ = ["Front"]
