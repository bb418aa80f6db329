"""The envelope of every list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from workflows_core import InvalidCursorError
from workflows_core.ports.queries import Page, PageRequest

__all__ = ["ListDTO", "page_of", "part_of", "place_in", "run_of"]

T = TypeVar("T")
R = TypeVar("R")

MAX_PLACE: Final = 2**53


class ListDTO(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list."""

    items: Annotated[list[T], Meta(description="In the order that was asked for.")]
    total: Annotated[int | None, Meta(description="How many match in all, if `with_total` asked for it.")]
    limit: Annotated[int, Meta(description="Most items in one answer.")]
    offset: Annotated[int, Meta(description="Items that were left out from the start.")]
    next_cursor: Annotated[str | None, Meta(description="Give it as `cursor` for the page after this one.")]
    has_more: Annotated[bool, Meta(description="Whether there is a page after this one.")]


def page_of(page: Page[R], asked: PageRequest, show: Callable[[R], T]) -> ListDTO[T]:
    """Show a page of the query side."""
    return ListDTO(
        items=[show(item) for item in page.items],
        total=page.total,
        limit=asked.limit,
        offset=asked.offset,
        next_cursor=page.next_cursor,
        has_more=page.next_cursor is not None,
    )


def part_of(everything: Sequence[R], asked: PageRequest, show: Callable[[R], T]) -> ListDTO[T]:
    """Show a part of a list that is at hand as a whole."""
    first = asked.offset if asked.cursor is None else place_in(asked.cursor)
    following = first + asked.limit
    return ListDTO(
        items=[show(item) for item in everything[first:following]],
        total=len(everything) if asked.with_total else None,
        limit=asked.limit,
        offset=first,
        next_cursor=str(following) if following < len(everything) else None,
        has_more=following < len(everything),
    )


def run_of(items: Sequence[R], limit: int, show: Callable[[R], T], *, following: int | None) -> ListDTO[T]:
    """Show a run of a list that is read by the number of its items; ``following`` is the last number shown if more come."""
    return ListDTO(
        items=[show(item) for item in items],
        total=None,
        limit=limit,
        offset=0,
        next_cursor=None if following is None else str(following),
        has_more=following is not None,
    )


def place_in(cursor: str | None) -> int:
    """The number that a cursor of `part_of` or `run_of` stands for; 0 for none.

    Raises:
        InvalidCursorError: It is not one of these.
    """
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 16 and int(cursor) <= MAX_PLACE):
        raise InvalidCursorError(cursor)
    return int(cursor)
