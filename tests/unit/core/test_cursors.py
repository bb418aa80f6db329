"""Cursors: opaque, good for one order, and never a way into the store."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, strategies as st

from workflows_core.errors import InvalidCursorError
from workflows_core.ports.cursors import Cursor, SortKey, decode_cursor, encode_cursor, instance_order, task_order
from workflows_core.ports.queries import InstanceFilter, TaskFilter

NEWEST = instance_order(InstanceFilter())
BY_DUE_DATE = task_order(TaskFilter(order_by="due_at"))
BY_PRIORITY = task_order(TaskFilter(order_by="priority"))
MOMENT = datetime(2026, 3, 29, 12, 0, 0, 123457, tzinfo=UTC)


def forged(*document: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(document)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("order", "key"), [(NEWEST, MOMENT), (BY_DUE_DATE, None), (BY_DUE_DATE, MOMENT), (BY_PRIORITY, 7)]
)
def test_a_cursor_comes_back_exactly(order: str, key: SortKey) -> None:
    assert decode_cursor(encode_cursor(order, key, UUID(int=7)), order) == Cursor(key, UUID(int=7))


def test_a_cursor_needs_no_quoting_in_an_address() -> None:
    for number in range(200):
        cursor = encode_cursor(NEWEST, MOMENT, UUID(int=number**9))
        assert cursor.replace("-", "").replace("_", "").isalnum()


@given(moment=st.datetimes(timezones=st.just(UTC)), number=st.integers(0, 2**128 - 1))
def test_every_moment_is_kept_to_the_microsecond(moment: datetime, number: int) -> None:
    assert decode_cursor(encode_cursor(NEWEST, moment, UUID(int=number)), NEWEST) == (moment, UUID(int=number))


@given(text=st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        decode_cursor(text, NEWEST)


@pytest.mark.parametrize(
    "cursor",
    [
        forged(NEWEST, 7, str(UUID(int=7))),
        forged(NEWEST, None, str(UUID(int=7))),
        forged(NEWEST, "2026-03-29T12:00:00", str(UUID(int=7))),
        forged(NEWEST, "2026-03-29T12:00:00Z", "7"),
        forged(NEWEST, "2026-03-29T12:00:00Z"),
        forged(NEWEST, "2026-03-29T12:00:00Z", str(UUID(int=7)), "more"),
        forged("instances/started_at/ascending", "2026-03-29T12:00:00Z", str(UUID(int=7))),
        encode_cursor(NEWEST, MOMENT, UUID(int=7)) + "!",
    ],
)
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        decode_cursor(cursor, NEWEST)
