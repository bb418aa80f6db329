"""Cursors of keyset pagination: the place after the last item of a page, as opaque text.

Every store writes them the same way, so a page may be begun on one store object and continued on another.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Final, NamedTuple, TypeAlias
from uuid import UUID

import msgspec

from workflows_core.errors import InvalidCursorError
from workflows_core.ports.queries import InstanceFilter, TaskFilter

__all__ = ["Cursor", "SortKey", "decode_cursor", "encode_cursor", "instance_order", "task_order"]

SortKey: TypeAlias = datetime | int | None
"""What a list is sorted by; None for an item that has no such value."""

_KEY_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "started_at": (datetime,),
    "updated_at": (datetime,),
    "created_at": (datetime,),
    "due_at": (datetime, type(None)),
    "priority": (int,),
}


class Cursor(NamedTuple):
    """The last item of a page: the list goes on with what comes after (key, id)."""

    key: SortKey
    id: UUID


class _Document(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    order: str
    key: Annotated[datetime, msgspec.Meta(tz=True)] | int | None
    id: UUID


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Document).decode


def instance_order(where: InstanceFilter) -> str:
    """The name of the order in which instances are asked for; a cursor is good for one order only."""
    return f"instances/{where.order_by}/{'descending' if where.descending else 'ascending'}"


def task_order(where: TaskFilter) -> str:
    """The name of the order in which tasks are asked for; a cursor is good for one order only."""
    return f"tasks/{where.order_by}/{'descending' if where.descending else 'ascending'}"


def encode_cursor(order: str, key: SortKey, id: UUID) -> str:
    """The cursor that continues after an item.

    Args:
        order: What `instance_order` or `task_order` gave.
        key: The item's value of the sort key, exact to the microsecond.
        id: The item's identity.

    Returns:
        Letters, digits, ``-`` and ``_``: fit for an address without quoting.
    """
    return urlsafe_b64encode(_encode(_Document(order, key, id))).rstrip(b"=").decode()


def decode_cursor(cursor: str, order: str) -> Cursor:
    """Read what `encode_cursor` wrote for the same order.

    Raises:
        InvalidCursorError: It was made for another order, or by nobody.
    """
    try:
        document = _decode(b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise InvalidCursorError(cursor) from error
    if document.order != order or type(document.key) not in _KEY_TYPES[order.split("/")[1]]:
        raise InvalidCursorError(cursor)
    return Cursor(document.key, document.id)
