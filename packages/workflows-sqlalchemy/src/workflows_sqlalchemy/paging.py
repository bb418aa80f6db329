"""Pages of a list, continued after the last item that was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, or_, select, tuple_

from workflows_core.ports.cursors import Cursor, decode_cursor, encode_cursor
from workflows_core.ports.queries import PageRequest
from workflows_sqlalchemy.loading import AnyRow

__all__ = ["Cut", "Sorting", "read_page"]


class Sorting(NamedTuple):
    """How a list is sorted.

    Attributes:
        order: Its name, which cursors carry.
        key: The column that it is sorted by. Rows without a value come last.
        id: Makes the order total, in the same direction.
        descending: Greatest first.
    """

    order: str
    key: Column[Any]
    id: Column[Any]
    descending: bool


class Cut(NamedTuple):
    """The rows of a page."""

    rows: Sequence[AnyRow]
    next_cursor: str | None
    total: int | None


def read_page(
    connection: Connection,
    columns: Sequence[Column[Any]],
    where: Sequence[ColumnElement[bool]],
    sorting: Sorting,
    page: PageRequest,
) -> Cut:
    """Read a page; with a total these are two statements, which must see the same snapshot.

    Raises:
        InvalidCursorError: The cursor was made for another order.
    """
    query = select(*columns).where(*where)
    if page.cursor is not None:
        query = query.where(_after(decode_cursor(page.cursor, sorting.order), sorting))
    else:
        query = query.offset(page.offset)
    found = (connection.execute(_sorted(query, sorting).limit(page.limit + 1))).all()
    rows = found[: page.limit]
    total: int | None = None
    if page.with_total:
        total = connection.scalar(select(func.count()).select_from(sorting.id.table).where(*where))
    return Cut(rows, _next_cursor(rows, sorting) if len(found) > page.limit else None, total)


def _sorted(query: Select[Any], sorting: Sorting) -> Select[Any]:
    key = sorting.key.desc() if sorting.descending else sorting.key.asc()
    identity = sorting.id.desc() if sorting.descending else sorting.id.asc()
    # Without a need for it, the order of NULLs is left out, so that the plain index fits.
    return query.order_by(key.nulls_last() if sorting.key.nullable else key, identity)


def _after(last: Cursor, sorting: Sorting) -> ColumnElement[bool]:
    key, identity = sorting.key, sorting.id
    if last.key is None:
        follows = identity < last.id if sorting.descending else identity > last.id
        return and_(key.is_(None), follows)
    place, other = tuple_(key, identity), (last.key, last.id)
    follows = place < other if sorting.descending else place > other
    return or_(follows, key.is_(None)) if key.nullable else follows


def _next_cursor(rows: Sequence[AnyRow], sorting: Sorting) -> str | None:
    if not rows:
        return None
    last = rows[-1]
    return encode_cursor(sorting.order, getattr(last, sorting.key.name), last.id)
