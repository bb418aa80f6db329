"""How large the data of an instance may grow: asked of every transition before its commit, whoever asked for it."""

from __future__ import annotations

from workflows_core.domain.payload import check_data_size
from workflows_core.domain.state import ROOT
from workflows_core.domain.transition import Transition
from workflows_core.errors import PayloadTooLargeError

__all__ = ["check_size"]


def check_size(transition: Transition, limit: int) -> None:
    """Refuse a transition that leaves more than ``limit`` bytes of data in a scope (the instance, a group or an item), or in kept signals.

    Raises:
        PayloadTooLargeError: It does; names the largest key.
    """
    state = transition.state
    if state.signals:
        size = sum(len(payload) for queue in state.signals.values() for payload in queue)
        if size > limit:
            raise PayloadTooLargeError("signals that no step has taken", size, limit)
    if transition.data_changed:
        check_data_size(state.data, limit)
    if len(state.scopes) > 1 or transition.items:
        for scope in (*state.scopes.values(), *transition.items):
            if scope.id != ROOT and scope.data:
                check_data_size(scope.data, limit)
