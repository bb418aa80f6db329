"""The data of an instance as its scopes see them, and what a decision changes in them. Values stay encoded until they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_core.domain.commands import Writes
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.reducers import MISSING, reduce_value
from workflows_core.domain.state import ROOT, TOMBSTONE
from workflows_core.errors import ItemsNotLoadedError, ReducerError

__all__ = ["apply_writes", "decoded", "has_data", "put_entry", "view", "write"]


def view(draft: Draft, scope_id: int) -> Mapping[str, bytes]:
    """Encoded values as seen from a scope: its own before those of the scopes around it, changes of this decision included.

    Raises:
        ItemsNotLoadedError: The data of an item are not at hand.
    """
    layers: list[Mapping[str, bytes]] = []
    current = scope_id
    while True:
        scope = draft.scope(current)
        if scope.data is None:
            raise ItemsNotLoadedError(draft.state.id)
        layers.append(scope.data)
        if current == ROOT:
            break
        current = scope.origin.parent
    if len(layers) == 1:
        return layers[0]
    merged: dict[str, bytes] = {}
    for layer in reversed(layers):
        merged.update(layer)
    return {key: raw for key, raw in merged.items() if raw != TOMBSTONE}


def has_data(draft: Draft, scope_id: int) -> bool:
    """Whether all data that a scope sees are at hand."""
    current = scope_id
    while current != ROOT:
        scope = draft.scope(current)
        if scope.data is None:
            return False
        current = scope.origin.parent
    return True


def decoded(draft: Draft, scope_id: int, names: frozenset[str]) -> dict[str, Any]:
    """Values of the named keys that a scope sees."""
    seen = view(draft, scope_id)
    decode = draft.program.decode
    return {name: decode(seen[name]) for name in sorted(names) if name in seen}


def write(draft: Draft, scope_id: int, changed: Mapping[str, bytes]) -> None:
    """Set encoded values in a scope."""
    if changed:
        _writable(draft, scope_id).update(changed)


def put_entry(draft: Draft, scope_id: int, key: str, name: str, payload: bytes) -> None:
    """Set one entry of the mapping at a data key; what is no mapping is replaced by one."""
    program = draft.program
    raw = view(draft, scope_id).get(key)
    known = program.decode(raw) if raw is not None else None
    entries = dict(known) if isinstance(known, Mapping) else {}
    entries[name] = program.decode(payload)
    write(draft, scope_id, {key: program.encode(entries)})


def apply_writes(draft: Draft, scope_id: int, writes: Writes) -> None:
    """Apply a step's changes: its own to its scope, what it adds to the instance.

    Raises:
        ReducerError: A key has no reducer, or its reducer cannot take the value.
    """
    write(draft, scope_id, writes.changed)
    if writes.deleted:
        data = _writable(draft, scope_id)
        for key in writes.deleted:
            if scope_id == ROOT:
                data.pop(key, None)
            else:
                data[key] = TOMBSTONE
    for key, raw in writes.added:
        _add(draft, key, raw)


def _add(draft: Draft, key: str, raw: bytes) -> None:
    program = draft.program
    reducer = program.graph.reducers.get(key)
    if reducer is None:
        raise ReducerError(key, "", "is not declared; name one in the workflow's reducers")
    data = draft.scope(ROOT).writable_data()
    current = program.decode(data[key]) if key in data else MISSING
    data[key] = program.encode(reduce_value(key, reducer, current, program.decode(raw)))


def _writable(draft: Draft, scope_id: int) -> dict[str, bytes]:
    scope = draft.scope(scope_id)
    if scope.data is None:
        raise ItemsNotLoadedError(draft.state.id)
    return scope.writable_data()
