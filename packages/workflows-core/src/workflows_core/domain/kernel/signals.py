"""Named signals: one goes to the step that has waited longest for its name; without one it is kept for the next step that waits."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from workflows_core.domain.commands import ReceiveSignal
from workflows_core.domain.events import SignalReceived
from workflows_core.domain.forms import validate_document
from workflows_core.domain.graph import SignalNode
from workflows_core.domain.kernel.data import has_data, put_entry, write
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.kernel.routing import fail_step, finish_step
from workflows_core.domain.state import ROOT, ErrorInfo, InstanceState, Token
from workflows_core.domain.types import StepStatus
from workflows_core.errors import (
    InputValidationError,
    InstanceEndingError,
    SignalAlreadyReceivedError,
    UnknownSignalError,
)

__all__ = ["KEPT_KEYS", "enter_signal", "receive_signal", "refuse_repetition"]

KEPT_KEYS: Final = 1000
"""How many deduplication keys an instance remembers; they are part of its state, which is written with every transition."""

TAKEN_AT_ONCE: Final = 100
"""How many kept signals one decision gives to the same step of a loop; a worker goes on with the rest."""


def refuse_repetition(state: InstanceState, command: ReceiveSignal) -> None:
    """Refuse a signal whose deduplication key was seen before, also when the instance is over.

    Raises:
        SignalAlreadyReceivedError: It was.
    """
    if command.dedup_key is not None and command.dedup_key in state.signal_keys:
        raise SignalAlreadyReceivedError(state.id, command.name, command.dedup_key)


def receive_signal(draft: Draft, command: ReceiveSignal) -> None:
    """Give a signal to the step that has waited longest for it, or keep it."""
    if draft.scope(ROOT).failing is not None:
        raise InstanceEndingError(draft.state.id, draft.state.phase)
    found = _longest_waiting(draft, command.name)
    draft.emit(SignalReceived, name=command.name, early=found is None, dedup_key=command.dedup_key)
    if command.dedup_key is not None:
        draft.signal_keys = (*draft.signal_keys, command.dedup_key)[-KEPT_KEYS:]
    if found is None:
        kept = (*draft.signals.get(command.name, ()), command.payload)
        draft.signals = {**draft.signals, command.name: kept}
        return
    scope_id, token, kind = found
    error = _fault(draft, kind, command.payload)
    if error is not None:
        raise error
    draft.work[token.id] = None
    _accept(draft, scope_id, token, kind, command.payload)


def enter_signal(draft: Draft, scope_id: int, token: Token, kind: SignalNode) -> None:
    """Take the oldest signal that was kept for the step's name, or wait for one.

    A payload that does not satisfy the schema fails the step: whoever sent it was answered long ago.
    """
    kept = draft.signals.get(kind.signal)
    if not kept:
        draft.put(scope_id, replace(token, status=StepStatus.WAITING))
        return
    before = draft.scope(scope_id).origin.visits.get(token.node, 0)
    if not has_data(draft, scope_id) or token.visit - before > TAKEN_AT_ONCE:
        draft.put(scope_id, replace(token, status=StepStatus.SCHEDULED))
        return
    payload, *later = kept
    draft.signals = {name: queue for name, queue in draft.signals.items() if name != kind.signal}
    if later:
        draft.signals[kind.signal] = tuple(later)
    error = _fault(draft, kind, payload)
    if error is not None:
        fail_step(draft, scope_id, token, ErrorInfo(type(error).__name__, str(error), token.node))
        return
    _accept(draft, scope_id, token, kind, payload)


def _longest_waiting(draft: Draft, name: str) -> tuple[int, Token, SignalNode] | None:
    """The first of the executions that wait for a signal, in the order of their entry.

    Raises:
        ItemsNotLoadedError: It may be in an item that is not in the state.
        UnknownSignalError: The workflow has no step that waits for the name.
    """
    waited_for = {step.name: step.kind for step in draft.program.steps.values() if isinstance(step.kind, SignalNode)}
    kinds = {step: kind for step, kind in waited_for.items() if kind.signal == name}
    if not kinds:
        raise UnknownSignalError(draft.state.id, name, sorted({kind.signal for kind in waited_for.values()}))
    if any(draft.program.steps[step].node.scope for step in kinds):
        draft.require_items()
    waiting = [
        (scope.id, token)
        for scope in draft.state.scopes.values()
        for token in scope.tokens.values()
        if token.node in kinds and token.status is StepStatus.WAITING
    ]
    if not waiting:
        return None
    scope_id, token = min(waiting, key=lambda place: place[1].execution)
    return scope_id, token, kinds[token.node]


def _fault(draft: Draft, kind: SignalNode, payload: bytes) -> InputValidationError | None:
    if kind.payload_schema is None:
        return None
    problems = validate_document(kind.payload_schema, draft.program.decode(payload))
    return InputValidationError(f"payload of signal {kind.signal!r}", problems) if problems else None


def _accept(draft: Draft, scope_id: int, token: Token, kind: SignalNode, payload: bytes) -> None:
    if kind.into is not None:
        write(draft, scope_id, {kind.into: payload})
    else:
        put_entry(draft, scope_id, "signals", token.node, payload)
    finish_step(draft, scope_id, token, result=payload)
