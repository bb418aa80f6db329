"""Steps that wait for a named signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_core.authoring.code import StepCode
from workflows_core.authoring.report import Report
from workflows_core.authoring.schemas import read_schema
from workflows_core.authoring.step import BaseStep
from workflows_core.domain.graph import SignalNode
from workflows_core.domain.types import StepType

__all__ = ["WaitForSignal", "read_signal"]


class WaitForSignal(BaseStep):
    """Waits for one signal of a name, which ``engine.signal`` sends to the instance.

    A signal goes to the step that has waited longest for its name. One that comes while no step waits is kept for the next that does.
    The payload is the step's result.

    Attributes:
        signal: Name of the signal; None is the name of the step.
        payload_schema: JSON Schema that the payload must satisfy, or a msgspec Struct or dataclass; None accepts any JSON.
        into: Data key that receives the payload; None stores it under ``signals.<step>``.
    """

    step_type = StepType.SIGNAL
    signal: str | None = None
    payload_schema: Mapping[str, Any] | type | None = None
    into: str | None = None

    def __init__(
        self,
        *,
        signal: str | None = None,
        payload_schema: Mapping[str, Any] | type | None = None,
        into: str | None = None,
        **attributes: Any,
    ) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(**attributes)
        self._assign(signal=signal, payload_schema=payload_schema, into=into)


def read_signal(name: str, step: Any, report: Report) -> tuple[SignalNode, StepCode]:
    """The node and the code of a signal step."""
    report.refuse_hooks(name, step, "signal step", "execute", "can_execute", "on_success", "on_failure")
    signal = getattr(step, "signal", None)
    if signal is not None and not isinstance(signal, str):
        report.about_step(name, "bad_type", f"signal is {signal!r}", "write the name of the signal as text")
        signal = None
    node = SignalNode(
        signal=name if signal is None else signal,
        payload_schema=read_schema(getattr(step, "payload_schema", None), name, "payload_schema", report),
        into=getattr(step, "into", None),
    )
    return node, StepCode(step=step)
