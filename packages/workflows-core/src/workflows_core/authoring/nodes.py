"""One step becomes one node: what kind it is, and what it says about its place in the graph."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Literal

from workflows_core.authoring.catalogue import CatalogueStep
from workflows_core.authoring.code import StepCode, is_coroutine_function, overridden
from workflows_core.authoring.gateway import read_gateway
from workflows_core.authoring.human import read_human
from workflows_core.authoring.report import Report
from workflows_core.authoring.signal import read_signal
from workflows_core.authoring.timer import read_timer
from workflows_core.authoring.webhook import read_webhook
from workflows_core.domain.graph import INSTANCE, ForEachNode, HumanNode, Join, MachineNode, Node, NodeKind
from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit
from workflows_core.domain.types import StepType

__all__ = ["node_of", "read_kind"]

Terminal = Literal["", "branch", "instance"]


def read_kind(name: str, step: Any, report: Report) -> tuple[NodeKind, StepCode]:
    """What a step is, and its code; `step_type` decides, and a step without one is a machine step."""
    step_type = getattr(step, "step_type", StepType.MACHINE)
    reader = _READERS.get(step_type) if isinstance(step_type, str) else None
    if reader is None:
        mend = f"write one of {', '.join(_READERS)}"
        report.about_step(name, "bad_type", f"step_type is {step_type!r}", mend)
        return MachineNode(), StepCode(step=step)
    return reader(name, step, report)


def _read_machine(name: str, step: Any, report: Report) -> tuple[NodeKind, StepCode]:
    execute = overridden(step, "execute")
    if execute is None:
        mend = "write `async def execute(self, context)`"
        report.about_step(name, "no_execute", f"{type(step).__name__} does not define execute", mend)
    code = StepCode(
        step=step,
        execute=execute,
        can_execute=overridden(step, "can_execute"),
        on_success=overridden(step, "on_success"),
        on_failure=overridden(step, "on_failure"),
        compensate=overridden(step, "compensate"),
        is_async=is_coroutine_function(execute),
        runs_engine=getattr(step, "step_type", None) is StepType.GROUP,
    )
    transactional = _transactional(name, step, code, report)
    if isinstance(step, CatalogueStep):
        return MachineNode(step.catalogue, step.config, transactional), code
    return MachineNode(transactional=transactional), code


def _transactional(name: str, step: Any, code: StepCode, report: Report) -> bool:
    transactional = getattr(step, "transactional", False)
    if not isinstance(transactional, bool):
        report.about_step(name, "bad_type", f"transactional is {transactional!r}", "write True or False")
    elif transactional and code.execute is not None and not code.is_async:
        mend = "write `async def`"
        report.about_step(name, "not_async", "it is transactional, and a thread cannot use its session", mend)
    return transactional is True


_READERS: Final[dict[str, Callable[[str, Any, Report], tuple[NodeKind, StepCode]]]] = {
    StepType.MACHINE: _read_machine,
    StepType.HUMAN: read_human,
    StepType.WEBHOOK: read_webhook,
    StepType.SIGNAL: read_signal,
    StepType.TIMER: read_timer,
    StepType.GATEWAY: read_gateway,
    StepType.GROUP: _read_machine,
}


def node_of(name: str, kind: NodeKind, code: StepCode, scope: str, queue: str, report: Report) -> Node:
    """The node of a step, with what `StepAttributes` says about it; ``queue`` is that of the workflow."""
    step = code.step
    return Node(
        name=name,
        kind=kind,
        description=_text(name, step, "description", report) or getattr(step, "summary", ""),
        scope=scope,
        join=_join(name, getattr(step, "join", None), report),
        terminal=_terminal(name, getattr(step, "terminal", False), report),
        queue=_text(name, step, "queue", report) or queue,
        priority=None if isinstance(kind, HumanNode) else _priority(name, step, report),
        retry=_retry(name, getattr(step, "retry", None), report),
        timeout_s=_seconds(name, step, "timeout", report),
        attempt_timeout_s=_seconds(name, step, "attempt_timeout", report),
        heartbeat_s=_seconds(name, step, "heartbeat_timeout", report),
        compensable=code.compensate is not None,
        concurrency=None if isinstance(kind, ForEachNode) else _concurrency(name, step, report),
        rate=_rate(name, step, report),
    )


def _text(name: str, step: Any, attribute: str, report: Report) -> str:
    value = getattr(step, attribute, "")
    if isinstance(value, str):
        return value
    if value is not None:
        report.about_step(
            name, "bad_type", f"{attribute} is {value!r}", "write text, or give the attribute another name"
        )
    return ""


def _retry(name: str, retry: Any, report: Report) -> RetryPolicy | None:
    match retry:
        case None | RetryPolicy():
            return retry
        case int() if retry > 0 and not isinstance(retry, bool):
            return RetryPolicy(max_attempts=retry)
    report.about_step(name, "bad_retry", f"retry is {retry!r}", "write a RetryPolicy, or the number of attempts")
    return None


def _priority(name: str, step: Any, report: Report) -> int | None:
    priority = getattr(step, "priority", None)
    if priority is None or (isinstance(priority, int) and not isinstance(priority, bool)):
        return priority
    report.about_step(name, "bad_type", f"priority is {priority!r}", "write a whole number")
    return None


def _seconds(name: str, step: Any, attribute: str, report: Report) -> float | None:
    value = getattr(step, attribute, None)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is not None:
        report.about_step(name, "bad_type", f"{attribute} is {value!r}", "write a timedelta")
    return None


def _concurrency(name: str, step: Any, report: Report) -> ConcurrencyLimit | None:
    match getattr(step, "concurrency", None):
        case None | ConcurrencyLimit() as limit:
            return limit
        case int() as number if not isinstance(number, bool):
            return ConcurrencyLimit(number)
        case other:
            report.about_step(name, "bad_type", f"concurrency is {other!r}", "write a ConcurrencyLimit, or a number")
            return None


def _rate(name: str, step: Any, report: Report) -> RateLimit | None:
    rate = getattr(step, "rate", None)
    if rate is None or isinstance(rate, RateLimit):
        return rate
    report.about_step(name, "bad_type", f"rate is {rate!r}", "write a RateLimit")
    return None


def _join(name: str, join: Any, report: Report) -> Join:
    match join:
        case None | Join():
            return join or Join()
        case "auto" | "all" | "any" | "each":
            return Join(join)
        case int() if join > 0 and not isinstance(join, bool):
            return Join("n", join)
    mend = "write 'auto', 'all', 'any', 'each' or a number of tokens"
    report.about_step(name, "bad_join", f"join is {join!r}", mend)
    return Join()


def _terminal(name: str, terminal: Any, report: Report) -> Terminal:
    match terminal:
        case None | False | "":
            return ""
        case True | "branch":
            return "branch"
        case "instance":
            return INSTANCE
    report.about_step(name, "bad_terminal", f"terminal is {terminal!r}", "write True, False or 'instance'")
    return ""
