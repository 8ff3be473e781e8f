"""Computer use with a smaller screen: the model sees, and names places on, a smaller one than the client has.

`plan` says what that takes in a request, and `response_mapper` takes the model's answer back to the client's screen.
"""

from __future__ import annotations

from pixtrim.gateway.screens.answers import Mapper, response_mapper
from pixtrim.gateway.screens.plan import Plan, plan
from pixtrim.gateway.screens.screen import Screen

__all__ = ["Mapper", "Plan", "Screen", "plan", "response_mapper"]
