"""What the steps did, as they wrote it down themselves, in a file that the engine does not know."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import msgspec

from workflows_core import WorkflowContext

__all__ = ["EFFECTS_VARIABLE", "Effect", "Effects", "note"]

EFFECTS_VARIABLE: Final = "WORKFLOWS_TEST_EFFECTS"


class Effect(msgspec.Struct, frozen=True):
    """A step has begun, or has come to its end.

    Attributes:
        key: Which execution, the same over its attempts.
        step: Name of the step.
        attempt: Which attempt.
        pid: The process.
        phase: Which of the two.
        at: When, by the monotonic clock of the machine.
    """

    key: str
    step: str
    attempt: int
    pid: int
    phase: Literal["begin", "end"]
    at: float


def note(context: WorkflowContext, phase: Literal["begin", "end"]) -> None:
    """Append what happens to the file; by one call, so that the lines of several processes do not mix.

    A process that is killed may leave half a line, so each begins on a new one.
    """
    effect = Effect(
        context.idempotency_key, context.current_step, context.attempt, os.getpid(), phase, time.monotonic()
    )
    descriptor = os.open(os.environ[EFFECTS_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, b"\n" + msgspec.json.encode(effect) + b"\n")
    finally:
        os.close(descriptor)


class Effects:
    """The file.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def of(self, instance: UUID) -> list[Effect]:
        """What the steps of an instance did, oldest first."""
        return [effect for effect in self.all() if effect.key.startswith(str(instance))]

    def all(self) -> list[Effect]:
        """What all steps did, oldest first."""
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = (line for line in content.splitlines() if line.endswith(b"}"))
        return [msgspec.json.decode(line, type=Effect) for line in whole]

    def runs(self) -> dict[str, list[tuple[float, float]]]:
        """When each execution ran, by its key: from when until when, without end if it was given up."""
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        under_way: dict[tuple[str, int, int], list[int]] = defaultdict(list)
        for effect in self.all():
            spans, places = found[effect.key], under_way[effect.key, effect.attempt, effect.pid]
            if effect.phase == "begin":
                places.append(len(spans))
                spans.append((effect.at, math.inf))
            else:
                place = places.pop(0)
                spans[place] = (spans[place][0], effect.at)
        return found
