"""What steps did to the world outside, kept where no crash reaches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from uuid import UUID

from workflows_core import StepStatus, WorkflowContext
from workflows_core.ports.queries import ExecutionRecord

__all__ = ["Effects"]


class Effects:
    """Stands for another system that steps call. It remembers each call under its idempotency key, and outlives every process.

    A step whose code calls it must do so once in every attempt that succeeds; so must a compensation.
    """

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._steps: set[tuple[str, str | None, bool]] = set()

    def note(self, context: WorkflowContext) -> None:
        """Remember that the code of a step did something; ``context`` is what it was given."""
        self._calls[context.idempotency_key] += 1
        self._steps.add((str(context.instance_id), context.current_step, context.undoing is not None))

    def count(self, key: str) -> int:
        """How often something was done under an idempotency key."""
        return self._calls[key]

    @property
    def total(self) -> int:
        """How often something was done, with repetitions."""
        return self._calls.total()

    def violations(self, instance_id: UUID, executions: Iterable[ExecutionRecord]) -> Iterator[str]:
        """Tell where the number of effects is impossible: at least one of each success, at most one in each attempt."""
        for record in executions:
            run = record.execution
            times = self._calls[f"{instance_id}/{run.number}"]
            where = f"execution {run.number} of step {run.step_name!r} ({run.status}, {run.attempts} attempts)"
            has_some = (str(instance_id), run.step_name, run.compensates > 0) in self._steps
            if run.status is StepStatus.SUCCEEDED and not times and has_some:
                yield f"{where} had no effect"
            if run.status in (StepStatus.SUCCEEDED, StepStatus.FAILED) and times > run.attempts:
                yield f"{where} had {times} effects"
