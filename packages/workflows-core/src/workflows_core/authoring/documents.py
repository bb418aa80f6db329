"""Workflows as data: a document becomes a definition, and back where all its steps are catalogue steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from workflows_core.authoring.catalogue import CatalogueError, StepCatalogue
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.document_types import (
    AnyStepDocument,
    ConditionalDocument,
    EdgeDocument,
    ForEachDocument,
    GatewayDocument,
    HumanDocument,
    MachineDocument,
    ParallelDocument,
    RaceDocument,
    RateDocument,
    SequentialDocument,
    SignalDocument,
    TimerDocument,
    WebhookDocument,
    WorkflowDocument,
)
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.gateway import BaseGateway
from workflows_core.authoring.groups import (
    ConditionalGroup,
    ForEach,
    ParallelGroup,
    RaceGroup,
    SequentialGroup,
)
from workflows_core.authoring.human import BaseHumanStep
from workflows_core.authoring.signal import WaitForSignal
from workflows_core.authoring.step import AnyStep, BaseMachineStep
from workflows_core.authoring.timer import ScheduledStep, TimerStep
from workflows_core.authoring.webhook import WebhookStep
from workflows_core.domain.problems import Problem
from workflows_core.domain.throttles import RateLimit
from workflows_core.errors import InvalidDefinitionError

__all__ = ["definition_from_document"]


def definition_from_document(
    document: Mapping[str, Any] | str | bytes, catalogue: StepCatalogue | None = None
) -> WorkflowDefinition:
    """Compile a workflow that is written as data.

    Args:
        document: The document, or its JSON text; see `document_schema` for its shape.
        catalogue: The step types that it may use.

    Raises:
        InvalidDefinitionError: The document has another shape, uses step types that the catalogue does not have, or describes a
            workflow that cannot run; lists everything that is wrong with it.
    """
    written = _read(document)
    builder = _Builder(catalogue or StepCatalogue())
    steps = [builder.build(step) for step in written.steps]
    try:
        definition = WorkflowDefinition(
            written.name,
            written.version,
            written.description,
            steps,
            [_edge(edge) for edge in written.edges],
            written.initial,
            reducers=written.reducers,
            input_schema=written.input_schema,
            deadline=_duration(written.deadline_s),
            queue=written.queue,
            priority=written.priority,
            concurrency=written.concurrency,
        )
    except InvalidDefinitionError as error:
        raise InvalidDefinitionError(written.name, [*builder.problems, *error.problems]) from error
    if builder.problems:
        raise InvalidDefinitionError(written.name, builder.problems)
    return definition


def _read(document: Mapping[str, Any] | str | bytes) -> WorkflowDocument:
    try:
        if isinstance(document, str | bytes):
            return msgspec.json.decode(document, type=WorkflowDocument)
        return msgspec.convert(document, WorkflowDocument)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        name = document.get("name") if isinstance(document, Mapping) else None
        mend = "write it as document_schema() says"
        problem = Problem("bad_document", "the document", str(error), mend)
        raise InvalidDefinitionError(str(name or ""), [problem]) from error


def _edge(edge: EdgeDocument) -> Edge:
    return Edge(edge.source, edge.target, edge.condition, on=edge.on, default=edge.default)


class _Builder:
    """Makes step objects of a document."""

    def __init__(self, catalogue: StepCatalogue) -> None:
        self._catalogue = catalogue
        self.problems: list[Problem] = []

    def build(self, step: AnyStepDocument) -> AnyStep:
        common: dict[str, Any] = {
            "name": step.name,
            "description": step.description,
            "summary": step.summary,
            "join": step.join,
            "terminal": step.terminal,
            "queue": step.queue,
            "priority": step.priority,
            "next": step.next,
            "retry": step.retry,
            "timeout": _duration(step.timeout_s),
            "attempt_timeout": _duration(step.attempt_timeout_s),
            "heartbeat_timeout": _duration(step.heartbeat_s),
            "concurrency": step.concurrency,
            "rate": _rate(step.rate),
        }
        match step:
            case MachineDocument():
                return self._machine(step, common)
            case HumanDocument():
                return _human(step, common)
            case GatewayDocument():
                return BaseGateway(gateway_type=step.kind, **common)
            case TimerDocument():
                return self._timer(step, common)
            case WebhookDocument():
                return WebhookStep(payload_schema=step.payload_schema, into=step.into, **common)
            case SignalDocument():
                return WaitForSignal(signal=step.signal, payload_schema=step.payload_schema, into=step.into, **common)
            case ForEachDocument():
                common |= {"item": step.item, "index": step.index, "into": step.into}
                return ForEach(step.source, self.build(step.body), **common)
            case _:
                return self._group(step, {**common, "outputs": step.outputs, "into": step.into})

    def _machine(self, step: MachineDocument, common: dict[str, Any]) -> AnyStep:
        try:
            transactional = step.transactional or None
            return self._catalogue.create(step.catalogue, step.config, transactional=transactional, **common)
        except CatalogueError as error:
            self.problems.append(Problem("bad_catalogue_step", f"step {step.name!r}", error.reason, error.mend))
            return _Unknown(**common)

    def _timer(self, step: TimerDocument, common: dict[str, Any]) -> AnyStep:
        if step.until is None:
            return TimerStep(duration=timedelta(seconds=step.delay_s), **common)
        try:
            return ScheduledStep(at=datetime.fromisoformat(step.until), **common)
        except ValueError as error:
            mend = "write it as 2030-01-31T09:00:00+01:00"
            self.problems.append(Problem("bad_moment", f"step {step.name!r}", f"until: {error}", mend))
            return TimerStep(duration=timedelta(), **common)

    def _group(
        self,
        step: SequentialDocument | ParallelDocument | RaceDocument | ConditionalDocument,
        common: dict[str, Any],
    ) -> AnyStep:
        if isinstance(step, ConditionalDocument):
            branches = {key: self.build(branch) for key, branch in step.branches.items()}
            return ConditionalGroup(step.selector, branches, **common)
        members: Sequence[AnyStep] = [self.build(member) for member in step.steps]
        if isinstance(step, ParallelDocument):
            callback = None if step.callback is None else self.build(step.callback)
            return ParallelGroup(*members, callback=callback, **common)
        return (SequentialGroup if isinstance(step, SequentialDocument) else RaceGroup)(*members, **common)


class _Unknown(BaseMachineStep):
    """Stands for a step that could not be made, so that the rest of the document is checked too."""

    def execute(self, context: Any) -> None:
        """Never called: a document with such a step is refused."""


def _human(step: HumanDocument, common: dict[str, Any]) -> BaseHumanStep:
    return BaseHumanStep(
        title=step.title,
        form_schema=step.form_schema,
        assignee=step.assignee,
        candidate_users=step.candidate_users,
        candidate_groups=step.candidate_groups,
        due=_duration(step.due_s),
        reminder=_duration(step.reminder_s),
        into=step.into,
        **common,
    )


def _rate(rate: RateDocument | None) -> RateLimit | None:
    return None if rate is None else RateLimit(rate.limit, timedelta(seconds=rate.per_s), rate.key, rate.name)


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
