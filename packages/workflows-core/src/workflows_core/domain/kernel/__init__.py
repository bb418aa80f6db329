"""The rules of workflows: a pure function from a state and a command to a transition.

Reading order: `decide` (what can be asked), `activation` (a token enters a step), `routing` (it leaves, fails, is cancelled), `items`
(``ForEach``), `settling` (the loop that moves tokens until all rest), `joins` (several become one), `closing` (a scope ends), `draft`,
`data` and `marking` (the copy that all of them work on).
"""

from __future__ import annotations

from workflows_core.domain.kernel.beginning import initial_state
from workflows_core.domain.kernel.decide import decide

__all__ = ["decide", "initial_state"]
