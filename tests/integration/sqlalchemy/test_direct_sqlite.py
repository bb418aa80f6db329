"""Statements that go straight to ``sqlite3`` do what the same statements do through SQLAlchemy."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, event, insert
from sqlalchemy.exc import DBAPIError

from workflows_core.domain.actor import Actor
from workflows_core.domain.identity import task_id
from workflows_core.domain.state import ROOT, Scope
from workflows_core.domain.transition import ItemRange, Rate, Slot, TaskChange, TaskOpening, WorkKind
from workflows_core.domain.types import TaskStatus
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.store import ClaimRequest, Committed, StartKey, Write, WriteResult
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, create_store
from workflows_sqlalchemy.errors import Fault, fault_of
from workflows_sqlalchemy.sqlite import commits
from workflows_sqlalchemy.sqlite.backend import SQLiteBackend
from workflows_sqlalchemy.sqlite.direct import Statement
from workflows_sqlalchemy.tables import definitions, metadata, rates, slots
from workflows_testing.builders import a_graph, an_instance, with_transition
from workflows_testing.clock import ManualClock
from workflows_testing.conformance.full_values import EXECUTION, MOMENT, WORK, full_scope, full_state

ODD = "\x00 \udcff é"
INDIA = timezone(timedelta(hours=5, minutes=30))
WRITING = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (\w+)")

PLAIN = replace(WORK, slot=None, rate=None, admission=None)


def writes_of_every_kind() -> list[Sequence[Write]]:
    """Batches that need every statement of a commit, with odd text, bytes and moments, and NULL where it may stand."""
    actor = Actor(ODD, tenant=ODD)
    run = an_instance(a_graph("one", "two"), data={"text": "é"}, metadata=["é"], actor=actor, now=MOMENT)
    bare = an_instance()
    started = [run.start(take="one", worker=ODD, start_key=StartKey(ODD, "digest")), bare.start()]

    place = task_id(run.id, 1), 1, 1, ROOT, "one", ODD
    opened = TaskOpening(*place, assignee_id=ODD, candidate_users=(ODD, "ann"), due_s=3.5, reminder_at=MOMENT)
    urgent = TaskOpening(UUID(int=7), 2, 1, ROOT, "one", "Review", due_at=MOMENT.astimezone(INDIA))
    group = full_scope(Scope(923, "parcel", ROOT, 921, home=923))
    inner = Scope(924, "parcel", group.id, 922, home=group.id)
    run.state = full_state(run.state)
    full = with_transition(
        run.touch(scopes={**run.state.scopes, group.id: group, inner.id: inner}),
        work={
            WORK.number: replace(PLAIN, step=ODD, keeps_timeout=False),
            5: replace(PLAIN, number=5, due_at=None),
            6: replace(PLAIN, number=6, slot=Slot(ODD, 2), rate=Rate(ODD, 3, 1.5), keeps_timeout=False),
        },
        executions=(EXECUTION, replace(EXECUTION, number=1, started_at=None, result=None, error=None)),
        opened=(opened, urgent),
        items=(group,),
        item_results={930: b"\x00\xff"},
        data_changed=True,
    )
    changed = with_transition(
        run.touch(),
        work={
            WORK.number: replace(PLAIN, kind=WorkKind.AWAIT),
            5: None,
            6: replace(PLAIN, number=6, slot=Slot("é", 1)),
        },
        reopened=(1,),
        tasks=(
            TaskChange(opened.id, status=TaskStatus.COMPLETED, completed_by=ODD, comment=ODD),
            TaskChange(urgent.id, assignee_id="bob"),
        ),
        item_results={group.id: b"7"},
    )
    dropped = with_transition(run.touch(), dropped_items=(ItemRange(930, 2),))
    return [started, [full, bare.touch()], [changed, bare.cancel()], [dropped, an_instance().start()]]


async def commit_all(url: str, batches: Sequence[Sequence[Write]], sent: list[str] | None) -> list[WriteResult]:
    """Commit batches and claim; what is sent is noted, which lets all of it go through SQLAlchemy."""
    store = create_store(url, clock=ManualClock()).store
    if sent is not None:
        engine = store.backend.engine
        event.listen(engine, "before_cursor_execute", lambda _connection, _cursor, text, *_rest: sent.append(text))
    results = [result for batch in batches for result in await store.commit(batch)]
    assert len(await store.claim(ClaimRequest(worker=ODD, limit=1, lease_s=30))) == 1
    await store.close()
    return results


def rows_of_all_tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What is in a file, with the types in which SQLite keeps it."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            name: connection.execute(
                f"SELECT * FROM {name} ORDER BY {', '.join(metadata.tables[name].c.keys())}"
            ).fetchall()
            for name in metadata.tables
        }


async def test_the_driver_is_given_the_very_values_that_sqlalchemy_gives_it(
    sqlite_template: bytes, tmp_path: Path
) -> None:
    straight, through_sqlalchemy = tmp_path / "straight.db", tmp_path / "through_sqlalchemy.db"
    batches, sent = writes_of_every_kind(), list[str]()
    for path, notes in ((straight, None), (through_sqlalchemy, sent)):
        path.write_bytes(sqlite_template)
        results = await commit_all(f"sqlite+aiosqlite:///{path}", batches, notes)
        assert all(isinstance(result, Committed) for result in results)
    statements = [value for value in vars(commits).values() if isinstance(value, Statement)]
    assert len({text for text in sent if WRITING.match(text)}) == len(statements) + 1  # and that of the claim
    found = rows_of_all_tables(straight)
    assert repr(found) == repr(rows_of_all_tables(through_sqlalchemy))
    untouched = {definitions.name, rates.name, slots.name}
    assert all(rows for name, rows in found.items() if name not in untouched)


@pytest.fixture
async def store(sqlite_url: str) -> AsyncGenerator[SQLAlchemyWorkflowStore]:
    store = create_store(sqlite_url).store
    yield store
    await store.close()


async def test_what_the_driver_raises_becomes_an_error_of_sqlalchemy(store: SQLAlchemyWorkflowStore) -> None:
    await store.commit([an_instance().start()])
    wrong = Statement(insert(definitions), ("id", "hash"))
    with pytest.raises(StoreUnavailableError) as raised:
        await write(store, lambda connection: wrong.execute(connection, [(1, "hash")]))
    assert fault_of(raised.value.__cause__) is Fault.REFUSED
    assert isinstance(raised.value.__cause__, DBAPIError)
    assert isinstance((await store.commit([an_instance().start()]))[0], Committed)


async def test_a_connection_that_proves_dead_is_replaced(store: SQLAlchemyWorkflowStore) -> None:
    await store.commit([an_instance().start()])
    connections: list[Any] = []

    def close_it_once(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not connections:
            driver.close()
        connections.append(driver)

    await write(store, close_it_once)
    assert len(connections) == 2
    assert connections[0] is not connections[1]
    assert isinstance((await store.commit([an_instance().start()]))[0], Committed)


async def write(store: SQLAlchemyWorkflowStore, work: Callable[[Connection], None]) -> None:
    """Run a function where commits are run."""
    assert isinstance(store.backend, SQLiteBackend)
    await store.backend._write(work)
