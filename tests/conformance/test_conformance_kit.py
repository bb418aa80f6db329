"""The conformance kits notice: every rule trips over an adapter that is broken on purpose, and every such adapter over a rule."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from workflows_core.adapters import memory
from workflows_core.adapters.memory import InMemoryWorkflowStore
from workflows_testing import conformance, faulty
from workflows_testing.clock import ManualClock
from workflows_testing.conformance.contract import StoreContract
from workflows_testing.conformance.deployment_site import DeploymentContract
from workflows_testing.faulty import FAULTS, Fault, deployments, transactions
from workflows_testing.faulty.fault import with_store

SUITES: tuple[type, ...] = tuple(getattr(conformance, name) for name in conformance.__all__)
AREAS = tuple(area for suite in SUITES for area in (suite.__bases__ if suite.__bases__ != (object,) else (suite,)))
STORE_AREAS = tuple(area for area in AREAS if issubclass(area, StoreContract))
ADAPTERS = {Path(module.__file__ or "").parent for module in (faulty, memory)}
SOUND = with_store(InMemoryWorkflowStore, "is sound")


def rules_of(area: type) -> list[str]:
    return [name for name in vars(area) if name.startswith("test_")]


def trips(fault: Fault, area: type, rule: str, runner: asyncio.Runner) -> BaseException | None:
    """What a rule says of an adapter; None if it is content.

    An error that the adapter raises by mistake proves nothing about the rule, and is passed on.
    """
    subjects = fault.build(ManualClock())
    rules = area()
    if isinstance(rules, conformance.WakeUpsConformance):
        rules.patience_s = 0.2
    if isinstance(rules, DeploymentContract):
        rules.patience_s, rules.flood = 2.0, 60
        rules.kill_every_s, rules.load = 0.1, 10
    test: Callable[..., object] = getattr(rules, rule)
    wanted = {name: subjects[name] for name in inspect.signature(test).parameters}

    async def run() -> BaseException | None:
        try:
            outcome = test(**wanted)
            if inspect.isawaitable(outcome):
                await outcome
        except (AssertionError, pytest.fail.Exception) as error:
            return error
        except Exception as error:
            if comes_from_the_adapter(error) and not fault.crashes:
                raise
            return error
        return None

    return runner.run(run())


def comes_from_the_adapter(error: Exception) -> bool:
    places = {Path(frame.filename).parent for frame in traceback.extract_tb(error.__traceback__)}
    return not places.isdisjoint(ADAPTERS)


@cache
def tripped(area: type) -> dict[Fault, frozenset[str]]:
    """For each fault that is meant for an area, the rules of the area that notice it."""
    with asyncio.Runner() as runner:
        return {
            fault: frozenset(rule for rule in rules_of(area) if trips(fault, area, rule, runner) is not None)
            for fault in FAULTS
            if area in fault.areas
        }


@pytest.fixture(params=AREAS, ids=lambda area: area.__name__)
def area(request: pytest.FixtureRequest) -> type:
    found: type = request.param
    return found


@pytest.mark.parametrize(
    ("area", "sound"),
    [
        *((area, SOUND) for area in STORE_AREAS),
        *((area, deployments.SOUND) for area in AREAS if issubclass(area, DeploymentContract)),
        (conformance.TransactionsConformance, transactions.SOUND),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_sound_adapter_trips_over_no_rule(area: type, sound: Fault) -> None:
    with asyncio.Runner() as runner:
        errors = {rule: trips(sound, area, rule, runner) for rule in rules_of(area)}
    assert {rule: error for rule, error in errors.items() if error is not None} == {}


def test_every_rule_notices_a_fault(area: type) -> None:
    noticed = frozenset[str]().union(*tripped(area).values())
    blind = [rule for rule in rules_of(area) if rule not in noticed]
    assert blind == [], "no adapter in workflows_testing.faulty trips these rules: add one that does"


def test_every_fault_is_noticed_in_each_area_that_it_is_meant_for(area: type) -> None:
    unnoticed = [fault.name for fault, rules in tripped(area).items() if not rules]
    assert unnoticed == [], "no rule trips over these faults: add a rule, or the fault is none"


def test_every_area_is_part_of_a_suite() -> None:
    assert {area for fault in FAULTS for area in fault.areas} == set(AREAS)


def test_faults_have_names_of_their_own() -> None:
    names = [(fault.name, area) for fault in FAULTS for area in fault.areas]
    assert len(names) == len(set(names))
