"""Faults of states: a store loses one field of a state, of a work item or of a record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from workflows_core.adapters.memory import MemoryState
from workflows_core.domain.state import ErrorInfo, Failing, InstanceState, Items, LastExecution, Scope, Token, Undo
from workflows_core.domain.transition import StepExecution, WorkItem
from workflows_core.ports.store import Write
from workflows_testing.conformance.full_values import (
    EXECUTION,
    ITEMS,
    TOKEN,
)
from workflows_testing.conformance.store_states import StateRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import with_transition

__all__ = ["FAULTS", "FIELDS"]

FIELDS: Final[dict[type[msgspec.Struct], tuple[str, ...]]] = {
    InstanceState: (
        "counter",
        "error",
        "buffered",
        "last",
        "parked",
        "has_deadline",
        "signals",
        "signal_keys",
        "priority",
        "awaits_slot",
        "started_at",
        "metadata",
    ),
    Scope: ("visits", "results", "undo", "failing", "index"),
    Token: tuple(name for name in TOKEN.__struct_fields__ if name not in {"id", "node", "status", "child"}),
    Items: tuple(name for name in ITEMS.__struct_fields__ if name not in {"first", "total"}),
    Undo: ("visit",),
    Failing: ("reason", "groups"),
    ErrorInfo: ("step", "traceback", "notes"),
    LastExecution: (),
    StepExecution: tuple(EXECUTION.__struct_fields__[4:]),
    WorkItem: ("execution", "queue", "priority", "slot", "rate", "admission"),
}
"""The fields that are lost, one by one: those that say nothing of the place of a value, and have a default."""


def _losing(kind: type[msgspec.Struct], name: str) -> Callable[[MemoryState, Write], Write]:
    """The write with a field of every such value as it is by default."""
    field = next(field for field in msgspec.structs.fields(kind) if field.name == name)
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default

    def lost(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: lost(inner) for key, inner in value.items()}
        if isinstance(value, tuple):
            return tuple(map(lost, value))
        if not isinstance(value, msgspec.Struct):
            return value
        fields = {known: lost(getattr(value, known)) for known in value.__struct_fields__}
        if isinstance(value, kind):
            fields[name] = default
        return replace(value, **fields)

    return lambda _memory, write: replace(write, transition=lost(write.transition))


def _never_less(memory: MemoryState, write: Write) -> Write:
    """What a state says no more is left as it was."""
    row, state = memory.instances.get(write.transition.state.id.int), write.transition.state
    if row is None:
        return write
    kept = {name: getattr(state, name) or getattr(row.state, name) for name in ("error", "parked", "has_deadline")}
    return with_transition(write, state=replace(state, **kept))


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ChangesWrites, change=_losing(kind, name)), f"loses {kind.__name__}.{name}", StateRules)
        for kind, names in FIELDS.items()
        for name in names
    ),
    with_store(partial(ChangesWrites, change=_never_less), "keeps what a state says no more", StateRules),
)
