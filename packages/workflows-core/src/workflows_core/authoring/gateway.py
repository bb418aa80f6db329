"""Steps that choose among their outgoing edges, or split the way."""

# ruff: noqa: ARG002 - hooks are written to be overridden

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from workflows_core.authoring.code import (
    ContextFunction,
    MaybeAwaitable,
    StepCode,
    default_hook,
    is_coroutine_function,
    overridden,
)
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.report import Report
from workflows_core.authoring.step import BaseStep
from workflows_core.domain.graph import GatewayNode
from workflows_core.domain.types import StepType
from workflows_core.errors import StepExecutionError

__all__ = ["BaseGateway", "ExclusiveGateway", "InclusiveGateway", "ParallelGateway", "read_gateway"]

GatewayKind: TypeAlias = Literal["exclusive", "inclusive", "parallel"]
Chooser: TypeAlias = ContextFunction[str | Sequence[str]]


class BaseGateway(BaseStep):
    """Chooses among its outgoing edges: by their conditions, or by `evaluate` where that is written.

    A gateway whose `evaluate` is written takes the edges to the steps that it names; its edges then have no conditions.

    Attributes:
        gateway_type: ``exclusive`` takes the first edge that holds, in order; ``inclusive`` every one; ``parallel`` all.
    """

    step_type = StepType.GATEWAY
    gateway_type: GatewayKind = "exclusive"

    def __init__(self, name: str | None = None, *, gateway_type: GatewayKind | None = None, **attributes: Any) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(name=name, **attributes)
        self._assign(gateway_type=gateway_type)

    @default_hook
    def evaluate(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[str | Sequence[str]]:
        """Name the successor, or several; override it for a choice that no condition can express."""
        raise StepExecutionError(context.current_step, "this gateway chooses by the conditions of its edges")


class _ChoosingGateway(BaseGateway):
    """A gateway that may be given its choice as a callable."""

    def __init__(self, name: str | None = None, condition: Chooser | None = None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.condition = condition
        if callable(condition):
            self.evaluate = condition  # type: ignore[assignment, method-assign]


class ExclusiveGateway(_ChoosingGateway):
    """Takes one edge: the first whose condition holds, or the one to the step that ``condition`` names.

    Args:
        name: Name of the step.
        condition: A callable of the context that returns the name of the successor, ``def`` or ``async def``; None looks at the
            conditions of the edges.
        attributes: Those of `StepAttributes`.
    """


class InclusiveGateway(_ChoosingGateway):
    """Takes every edge whose condition holds, or those to the steps that ``condition`` names; arguments as `ExclusiveGateway`."""

    gateway_type = "inclusive"


class ParallelGateway(BaseGateway):
    """Takes all its edges at once."""

    gateway_type = "parallel"


def read_gateway(name: str, step: Any, report: Report) -> tuple[GatewayNode, StepCode]:
    """The node and the code of a gateway."""
    kind: GatewayKind = getattr(step, "gateway_type", "exclusive")
    if kind not in get_args(GatewayKind):
        mend = f"write one of {', '.join(map(repr, get_args(GatewayKind)))}"
        report.about_step(name, "bad_type", f"gateway_type is {kind!r}", mend)
        kind = "exclusive"
    condition = getattr(step, "condition", None)
    if condition is not None and not callable(condition):
        mend = "give the conditions to its edges, or a callable that returns the name of a successor to the gateway"
        report.about_step(name, "bad_type", f"condition of the gateway is {condition!r}", mend)
    evaluate = overridden(step, "evaluate")
    if evaluate is None or kind == "parallel":
        what = "gateway that takes all its edges" if kind == "parallel" else "gateway that asks no code"
        report.refuse_hooks(name, step, what, "evaluate", "execute", "can_execute", "on_success", "on_failure")
        return GatewayNode(kind=kind), StepCode(step=step)
    report.refuse_hooks(name, step, "gateway", "execute")
    code = StepCode(
        step=step,
        execute=evaluate,
        can_execute=overridden(step, "can_execute"),
        on_success=overridden(step, "on_success"),
        on_failure=overridden(step, "on_failure"),
        is_async=is_coroutine_function(evaluate),
    )
    return GatewayNode(kind=kind, computed=True), code
