"""Values keep what they are on their way into columns; what a database would refuse is replaced, not refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, strategies

from workflows_core.domain.events import StepFailed
from workflows_core.domain.state import ErrorInfo, InstanceState
from workflows_sqlalchemy.column_types import from_microseconds, safe_text, to_microseconds
from workflows_sqlalchemy.dialects import async_url
from workflows_sqlalchemy.encoding import (
    decode_error,
    decode_events,
    decode_marking,
    encode_error,
    encode_events,
    encode_marking,
)
from workflows_testing.builders import a_graph, an_instance

MOMENTS = strategies.datetimes(timezones=strategies.just(UTC))


@given(MOMENTS)
def test_a_moment_survives_as_microseconds(moment: datetime) -> None:
    assert from_microseconds(to_microseconds(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_microseconds_sort_as_moments_do(one: datetime, other: datetime) -> None:
    assert (to_microseconds(one) < to_microseconds(other)) == (one < other)


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert from_microseconds(to_microseconds(moment)) == moment
    assert from_microseconds(to_microseconds(moment)).tzinfo is UTC


@given(strategies.text())
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text.replace("\x00", "\ufffd")


@given(strategies.text(strategies.characters()))
def test_every_text_becomes_one_that_databases_take(text: str) -> None:
    safe = safe_text(text + "\ud800\x00")
    assert "\x00" not in safe
    safe.encode()


def test_an_error_with_text_that_is_no_utf_8_can_still_be_kept() -> None:
    error = ErrorInfo("OSError", "no file \udcff", "step", "Traceback \ud800", ("note \udfff",))
    kept = decode_error(encode_error(error))
    assert kept is not None
    assert kept.message.startswith("no file ")
    assert (kept.type, kept.step) == ("OSError", "step")


def test_an_event_with_text_that_is_no_utf_8_can_still_be_kept() -> None:
    run = an_instance()
    event = StepFailed(instance_id=run.id, workflow_name="order", step_name="pay", execution=2, error="bad \udcff")
    (kept,) = decode_events(encode_events([event]))
    assert isinstance(kept, StepFailed)
    assert (kept.instance_id, kept.step_name) == (run.id, "pay")


def test_a_marking_with_a_name_that_is_no_utf_8_keeps_everything_else() -> None:
    run = an_instance(a_graph("one", "two"))
    run.start()
    run.complete("one")
    state: InstanceState = msgspec.structs.replace(run.state, buffered={"0/\udcff/1": b"\x00\xff"})
    marking = decode_marking(encode_marking(state))
    assert marking.counter == state.counter
    assert marking.last == state.last
    assert marking.started_at == state.started_at
    assert list(marking.buffered.values()) == [b"\x00\xff"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///a.db", "sqlite+aiosqlite:///a.db"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
    ],
)
def test_a_url_without_a_driver_gets_an_asynchronous_one(url: str, expected: str) -> None:
    assert async_url(url).render_as_string(hide_password=False) == expected
