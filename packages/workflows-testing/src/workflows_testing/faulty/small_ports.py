"""Faults of clocks, identities, codecs, conditions, publishers and executors."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from workflows_core.adapters.in_process_executor import NullExecutor
from workflows_core.adapters.json_codec import JsonCodec
from workflows_core.adapters.safe_expressions import SafeExpressions
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.domain.events import Event, RecordedEvent
from workflows_core.domain.program import Condition
from workflows_core.errors import ExpressionError, PayloadError
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.ids import IdGenerator
from workflows_testing.conformance.clocks import ClockConformance
from workflows_testing.conformance.codecs import PayloadCodecConformance
from workflows_testing.conformance.conditions import ConditionEvaluatorConformance
from workflows_testing.conformance.executors import StepExecutorConformance
from workflows_testing.conformance.identities import IdGeneratorConformance
from workflows_testing.conformance.publishers import EventPublisherConformance
from workflows_testing.faulty.fault import Fault

__all__ = ["FAULTS"]


class LocalTime(Clock):
    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)


class BackwardTime(Clock):
    def __init__(self) -> None:
        self._steps = itertools.count()

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=next(self._steps))


class RandomIds(IdGenerator):
    def new(self) -> UUID:
        return uuid4()


class RepeatedIds(IdGenerator):
    def __init__(self) -> None:
        self._id = Uuid7Generator().new()

    def new(self) -> UUID:
        return self._id


class PlainJson(PayloadCodec):
    """JSON as it comes: sorted keys, errors of its own."""

    def encode(self, value: Any) -> bytes:
        return json.dumps(value, sort_keys=True).encode()

    def decode(self, raw: bytes) -> Any:
        return json.loads(raw)


class LooseJson(JsonCodec):
    """Takes whole floats for integers, and says nothing of None."""

    def encode(self, value: Any) -> bytes:
        if value is None:
            return b""
        return super().encode(int(value) if isinstance(value, float) and value.is_integer() else value)

    def decode(self, raw: bytes) -> Any:
        return super().decode(raw) if raw else None


class CountingCodec(JsonCodec):
    """Gives other bytes each time."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def encode(self, value: Any) -> bytes:
        return b" " * next(self._count) + super().encode(value)


class SortingCodec(JsonCodec):
    """Sorts the mappings that it is given."""

    def encode(self, value: Any) -> bytes:
        if isinstance(value, dict):
            entries = sorted(value.items())
            value.clear()
            value.update(entries)
        return super().encode(value)


class RememberingCodec(JsonCodec):
    """Keeps what it encoded and decoded."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def encode(self, value: Any) -> bytes:
        raw = super().encode(value)
        self._known[raw] = value
        return raw

    def decode(self, raw: bytes) -> Any:
        if raw not in self._known:
            self._known[raw] = super().decode(raw)
        return self._known[raw]


class VagueCodec(JsonCodec):
    """Does not say where a value is that it refuses."""

    def encode(self, value: Any) -> bytes:
        try:
            return super().encode(value)
        except PayloadError as error:
            raise PayloadError("value", "", error.type_name, "") from error


class LonelyCodec(JsonCodec):
    """Works in the thread that made it."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def encode(self, value: Any) -> bytes:
        return super().encode(value if threading.get_ident() == self._thread else None)


class BrokenCondition:
    """A condition that remembers, counts and changes."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._count = itertools.count()
        self.source = condition.source.strip("01")
        self.names = frozenset[str]()

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        for value in values.values():
            if isinstance(value, list):
                value.sort()
        found = self._condition.evaluate(values)
        return found + next(self._count) if isinstance(found, int) else found or ""


class BrokenExpressions(SafeExpressions):
    """Compiles what it should refuse."""

    def compile(self, source: str, names: frozenset[str] | None = None) -> Condition:
        try:
            return BrokenCondition(super().compile(source))
        except ExpressionError:
            return BrokenCondition(super().compile("None"))


class StrictExpressions(SafeExpressions):
    """Knows no names."""

    def compile(self, source: str, names: frozenset[str] | None = None) -> Condition:
        return super().compile(source, frozenset() if names is not None else None)


class BrokenBus(EventPublisher):
    """A bus with a mistake in how it calls listeners."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Event], None]] = []

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        for recorded in events:
            for listener in self.listeners:
                listener(recorded.event)


class ReversingBus(BrokenBus):
    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        await super().publish(events[::-1])


class DelayingBus(BrokenBus):
    """Publishes a transition with the one after it."""

    def __init__(self) -> None:
        super().__init__()
        self._late: Sequence[RecordedEvent] = ()

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        late, self._late = self._late, events
        await super().publish([*events, *late])


class QuietBus(BrokenBus):
    """Stops at the first listener that fails."""

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        try:
            await super().publish(events)
        except RuntimeError:
            return


class LonelyBus(BrokenBus):
    """Wants events, and exactly one listener."""

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        self.listeners[0](events[0].event)


class BrokenExecutor(NullExecutor):
    """Fails for hints that it does not understand."""

    def __init__(self, refuses: Callable[[Sequence[WorkRef], str, int], bool]) -> None:
        self._refuses = refuses
        self._given: list[WorkRef] = []

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        if self._refuses([*self._given, *items], queue, priority):
            msg = "the broker is down"
            raise ConnectionError(msg)
        self._given.extend(items)


def _codec(codec: Callable[[], PayloadCodec], _clock: Clock) -> Mapping[str, Any]:
    return {"codec": codec()}


def _bus(make: Callable[[], BrokenBus], _clock: Clock) -> Mapping[str, Any]:
    bus = make()

    async def delivered() -> None:
        return

    return {"publisher": bus, "listen": bus.listeners.append, "delivered": delivered}


def _executor(refuses: Callable[[Sequence[WorkRef], str, int], bool], _clock: Clock) -> Mapping[str, Any]:
    executor: StepExecutor = BrokenExecutor(refuses)
    return {"executor": executor, "unreachable": executor}


FAULTS: Final[tuple[Fault, ...]] = (
    Fault("tells times without a zone", (ClockConformance,), lambda _clock: {"clock": LocalTime()}),
    Fault("goes backwards", (ClockConformance,), lambda _clock: {"clock": BackwardTime()}),
    Fault("gives random identities", (IdGeneratorConformance,), lambda _clock: {"ids": RandomIds()}),
    Fault("repeats itself", (IdGeneratorConformance,), lambda _clock: {"ids": RepeatedIds()}),
    *(
        Fault(name, (PayloadCodecConformance,), partial(_codec, codec), crashes)
        for codec, name, crashes in (
            (PlainJson, "sorts keys and raises errors of its own", True),
            (LooseJson, "takes floats for integers", False),
            (CountingCodec, "gives other bytes each time", False),
            (SortingCodec, "changes what it encodes", False),
            (RememberingCodec, "hands out what it keeps", False),
            (VagueCodec, "does not say what it refuses", False),
            (LonelyCodec, "works in one thread only", False),
        )
    ),
    Fault(
        "compiles conditions that change things",
        (ConditionEvaluatorConformance,),
        lambda _clock: {"evaluator": BrokenExpressions()},
    ),
    Fault(
        "knows no names",
        (ConditionEvaluatorConformance,),
        lambda _clock: {"evaluator": StrictExpressions()},
        crashes=True,
    ),
    *(
        Fault(name, (EventPublisherConformance,), partial(_bus, bus), crashes)
        for bus, name, crashes in (
            (BrokenBus, "passes on errors of listeners", True),
            (ReversingBus, "publishes last first", True),
            (DelayingBus, "publishes transitions in another order", True),
            (QuietBus, "stops at a listener that fails", False),
            (LonelyBus, "wants a listener and an event", True),
        )
    ),
    *(
        Fault(name, (StepExecutorConformance,), partial(_executor, refuses), crashes=True)
        for refuses, name in (
            (lambda _items, _queue, _priority: True, "fails when its broker is down"),
            (lambda items, _queue, _priority: not items, "wants a work item"),
            (lambda items, _queue, _priority: len(set(items)) < len(items), "wants each work item once"),
            (lambda items, _queue, _priority: len(items) > 100, "wants few work items"),
            (lambda _items, queue, _priority: not queue.isidentifier(), "wants simple names of queues"),
        )
    ),
)
