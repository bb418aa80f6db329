"""Changing values that are meant not to be changed: states, transitions, and every text and payload inside them."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from workflows_core.adapters.memory import MemoryState
from workflows_core.domain.state import InstanceState, Scope
from workflows_core.domain.transition import WorkItem
from workflows_core.ports.store import Write

__all__ = ["at_current_revision", "rewrite", "with_scopes", "with_state", "with_transition", "with_work"]

T = TypeVar("T")


def with_state(instance_id: UUID) -> InstanceState:
    """A state out of thin air."""
    return InstanceState(instance_id, "", "", "", "")


def with_transition(write: Write, **changes: Any) -> Write:
    """The write with these fields of its transition changed."""
    return replace(write, transition=replace(write.transition, **changes))


def with_scopes(write: Write, change: Callable[[Scope], Scope]) -> Write:
    """The write with every scope of the state and of the items changed."""
    transition = write.transition
    scopes = {key: change(scope) for key, scope in transition.state.scopes.items()}
    items = tuple(map(change, transition.items))
    return with_transition(write, state=replace(transition.state, scopes=scopes), items=items)


def with_work(write: Write, change: Callable[[WorkItem], WorkItem]) -> Write:
    """The write with every work item changed."""
    work = {number: None if item is None else change(item) for number, item in write.transition.work.items()}
    return with_transition(write, work=work)


def at_current_revision(memory: MemoryState, write: Write) -> Write:
    """The write with whatever revision is the next one."""
    row = memory.instances.get(write.transition.state.id.int)
    following = 1 if row is None else row.state.revision + 1
    return with_transition(write, state=replace(write.transition.state, revision=following))


def rewrite(value: T, *, text: Callable[[str], str] = str, raw: Callable[[bytes], bytes] = bytes) -> T:
    """A value with every text and every payload in it replaced."""
    return _rewrite(value, text, raw)  # type: ignore[no-any-return]


def _rewrite(value: Any, text: Callable[[str], str], raw: Callable[[bytes], bytes]) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes):
        return raw(value)
    if isinstance(value, dict):
        return {_rewrite(key, text, raw): _rewrite(inner, text, raw) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_rewrite(inner, text, raw) for inner in value)
    if isinstance(value, msgspec.Struct):
        fields = {name: _rewrite(getattr(value, name), text, raw) for name in value.__struct_fields__}
        return replace(value, **fields)
    return value
