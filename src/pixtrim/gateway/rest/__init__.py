"""The REST interface to images themselves: shrink them, count their tokens, plan what to prune.

It answers with what `pixtrim.shrink`, `pixtrim tokens --json` and `pixtrim.prune` say. The same question has the same
answer: how long something took is told in a header.
"""

from pixtrim.gateway.rest.app import PATHS, make_rest
from pixtrim.gateway.rest.limits import Limits
from pixtrim.gateway.rest.work import Answer

__all__ = ["PATHS", "Answer", "Limits", "make_rest"]
