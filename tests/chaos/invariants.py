"""What must hold after every fault, found by SQL and by what the steps wrote down."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, create_engine, func, make_url, select
from tests.chaos.effects import Effects
from tests.chaos.load import RUNS

from workflows_core.domain.events import HumanTaskCompleted, StepCompleted, WorkflowCompleted, WorkflowStarted
from workflows_sqlalchemy.encoding import decode_events
from workflows_sqlalchemy.tables import events, executions, instances, tasks, work_items


def check(url: str, effects: Effects, started: set[UUID], decisions: dict[UUID, str]) -> None:
    """Check everything, when all has come to rest.

    Args:
        url: The database.
        effects: What the steps wrote down.
        started: The instances whose start was answered.
        decisions: Who was told that he had completed which task.

    Raises:
        AssertionError: Something does not hold.
    """
    driver = "sqlite+pysqlite" if url.startswith("sqlite") else "postgresql+psycopg"
    engine = create_engine(make_url(url).set(drivername=driver))
    try:
        with engine.connect() as connection:
            nothing_is_stalled(connection)
            all_are_finished(connection, started)
            every_step_is_recorded_once(connection)
            every_execution_is_told_once(connection)
            every_effect_belongs_to_an_attempt(connection, effects)
            decisions_count_once(connection, decisions)
            nothing_is_left(connection)
    finally:
        engine.dispose()


def nothing_is_stalled(connection: Connection) -> None:
    work = select(work_items.c.number).where(work_items.c.instance_id == instances.c.id)
    task = select(tasks.c.id).where(tasks.c.instance_id == instances.c.id, tasks.c.status == "pending")
    unfinished = instances.c.status.not_in(("completed", "failed", "canceled"))
    query = select(instances.c.id).where(unfinished, ~work.exists(), ~task.exists())
    assert connection.scalars(query).all() == [], "nobody would ever move these"


def all_are_finished(connection: Connection, started: set[UUID]) -> None:
    statuses = pairs(connection, instances.c.id, instances.c.status)
    assert started <= statuses.keys(), "a start that was answered is not there"
    assert len(statuses) == len(started), "something was started twice"
    assert Counter(statuses.values()) == {"completed": len(started)}


def every_step_is_recorded_once(connection: Connection) -> None:
    names = pairs(connection, instances.c.id, instances.c.workflow_name)
    found: dict[UUID, Counter[str]] = {instance: Counter() for instance in names}
    for instance, step in connection.execute(select(executions.c.instance_id, executions.c.step_name)):
        found[instance][step] += 1
    wrong = {instance: (names[instance], runs) for instance, runs in found.items() if runs != RUNS[names[instance]]}
    assert wrong == {}, "joins and items count once, and no step is recorded twice"
    assert set(connection.scalars(select(executions.c.status))) == {"succeeded"}


def every_execution_is_told_once(connection: Connection) -> None:
    """Of each instance, the revisions have no gap that an event could have fallen into, and each thing is told in one of them."""
    revisions = pairs(connection, instances.c.id, instances.c.revision)
    recorded = Counter(connection.scalars(select(executions.c.instance_id)))
    told: dict[UUID, Counter[type]] = {instance: Counter() for instance in revisions}
    numbers: dict[UUID, set[int]] = {instance: set() for instance in revisions}
    for instance, revision, raw in connection.execute(select(events.c.instance_id, events.c.revision, events.c.events)):
        numbers[instance].add(revision)
        told[instance].update(type(event) for event in decode_events(raw))
    for instance, revision in revisions.items():
        assert numbers[instance] <= set(range(1, revision + 1)), "an event of a revision that was never made"
        assert {1, revision} <= numbers[instance], "the first and the last revision tell of the start and of the end"
        assert (told[instance][WorkflowStarted], told[instance][WorkflowCompleted]) == (1, 1)
        assert told[instance][StepCompleted] == recorded[instance], "an execution was told twice, or never"
        assert told[instance][HumanTaskCompleted] <= 1


def every_effect_belongs_to_an_attempt(connection: Connection, effects: Effects) -> None:
    """Effects happen at least once and at most as often as attempts were made; the last attempt is the one on record."""
    query = select(executions.c.instance_id, executions.c.number, executions.c.step_name, executions.c.attempts)
    begun, ended = effects.begun(), effects.ended()
    recorded = set[str]()
    for instance, number, step, attempts in connection.execute(query):
        key = f"{instance}/{number}"
        recorded.add(key)
        if step in {"decide", "nap", "items"}:
            continue
        runs = [effect.attempt for effect in begun[key]]
        assert 1 <= len(runs) <= attempts, f"{step} of {key} ran {len(runs)} times in {attempts} attempts"
        assert len(set(runs)) == len(runs), f"two workers were in the same attempt of {step}: {begun[key]}"
        assert max(runs) == attempts, f"the result of {step} comes from a worker that was given up: {begun[key]}"
        assert attempts in {effect.attempt for effect in ended[key]}, f"{step} is on record, but it did not end"
    assert begun.keys() <= recorded, "something ran that is not on record"


def decisions_count_once(connection: Connection, decisions: dict[UUID, str]) -> None:
    completed = pairs(connection, tasks.c.id, tasks.c.completed_by)
    assert {task: completed[task] for task in decisions} == decisions, "who was told that he decided did not"
    assert None not in completed.values()
    decided = select(func.count()).select_from(executions).where(executions.c.step_name == "decide")
    assert connection.scalar(decided) == len(completed), "a decision was counted twice"


def nothing_is_left(connection: Connection) -> None:
    left = connection.execute(select(work_items.c.step_name, work_items.c.worker, work_items.c.lease_until)).all()
    assert left == [], "leases or work of instances that are over"


def pairs(connection: Connection, key: ColumnElement[Any], value: ColumnElement[Any]) -> dict[Any, Any]:
    """Two columns of a table."""
    return {row[0]: row[1] for row in connection.execute(select(key, value))}
