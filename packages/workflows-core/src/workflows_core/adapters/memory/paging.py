"""Sorting and cutting a list in memory, as a database would do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from workflows_core.ports.cursors import SortKey, decode_cursor, encode_cursor
from workflows_core.ports.queries import Page, PageRequest

__all__ = ["cut"]

T = TypeVar("T")
Place = tuple[bool, SortKey, UUID]


def cut(
    matching: Iterable[T],
    request: PageRequest,
    *,
    order: str,
    descending: bool,
    key: Callable[[T], SortKey],
    identity: Callable[[T], UUID],
) -> Page[T]:
    """A page of the items that match.

    Args:
        matching: All items that match, in any order.
        request: Which part is wanted.
        order: Name of the order, for the cursors.
        descending: Greatest first; items without a value come last all the same. Ties go by identity, in the same direction.
        key: What an item is sorted by.
        identity: Makes the order total.

    Raises:
        InvalidCursorError: The cursor was made for another order.
    """
    after = decode_cursor(request.cursor, order) if request.cursor is not None else None
    items = sorted(matching, key=identity, reverse=descending)
    with_value = sorted((item for item in items if key(item) is not None), key=key, reverse=descending)  # type: ignore[arg-type]
    ordered = [*with_value, *(item for item in items if key(item) is None)]
    total = len(ordered) if request.with_total else None
    if after is None:
        rest = ordered[request.offset :]
    else:
        rest = [item for item in ordered if _follows((key(item), identity(item)), after, descending=descending)]
    shown = tuple(rest[: request.limit])
    more = len(rest) > len(shown)
    return Page(shown, encode_cursor(order, key(shown[-1]), identity(shown[-1])) if more else None, total)


def _follows(place: tuple[SortKey, UUID], after: tuple[SortKey, UUID], *, descending: bool) -> bool:
    (key, identity), (last_key, last_identity) = place, after
    if key == last_key:
        return identity < last_identity if descending else identity > last_identity
    if key is None or last_key is None:
        return key is None
    return (key < last_key) if descending else (key > last_key)  # type: ignore[operator]
