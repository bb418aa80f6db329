"""The shape of a workflow that is written as data; a JSON Schema of it is `document_schema`.

The kinds of steps and their fields are those of `workflows_core.domain.graph`, but a group holds its steps instead of naming them.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.throttles import ConcurrencyLimit
from workflows_core.domain.types import Outcome

__all__ = [
    "AnyStepDocument",
    "ConditionalDocument",
    "EdgeDocument",
    "ForEachDocument",
    "GatewayDocument",
    "HumanDocument",
    "MachineDocument",
    "ParallelDocument",
    "RaceDocument",
    "RateDocument",
    "SequentialDocument",
    "SignalDocument",
    "StepDocument",
    "TimerDocument",
    "WebhookDocument",
    "WorkflowDocument",
    "document_schema",
]


class _Document(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    pass


class RateDocument(_Document, kw_only=True):
    """How many executions may begin in a time; see `RateLimit`."""

    limit: int
    per_s: float
    key: str | None = None
    name: str | None = None


class StepDocument(_Document, kw_only=True, tag_field="type"):
    """What every step has; see `StepAttributes`."""

    name: str
    description: str = ""
    summary: str = ""
    join: int | Literal["auto", "all", "any", "each"] | None = None
    terminal: bool | Literal["instance"] = False
    queue: str | None = None
    priority: int | None = None
    next: str | list[str] | None = None
    retry: RetryPolicy | None = None
    timeout_s: float | None = None
    attempt_timeout_s: float | None = None
    heartbeat_s: float | None = None
    concurrency: ConcurrencyLimit | int | None = None
    rate: RateDocument | None = None


class MachineDocument(StepDocument, kw_only=True, tag="machine"):
    """A step of the catalogue."""

    catalogue: str
    config: dict[str, Any] = {}
    transactional: bool = False


class HumanDocument(StepDocument, kw_only=True, tag="human"):
    """A human step; see `HumanNode`."""

    title: str = ""
    form_schema: dict[str, Any] | None = None
    assignee: str | None = None
    candidate_users: list[str] = []
    candidate_groups: list[str] = []
    due_s: float | None = None
    reminder_s: float | None = None
    priority: int = 50
    into: str | None = None


class GatewayDocument(StepDocument, kw_only=True, tag="gateway"):
    """A gateway; see `GatewayNode`."""

    kind: Literal["exclusive", "inclusive", "parallel"] = "exclusive"


class TimerDocument(StepDocument, kw_only=True, tag="timer"):
    """A timer: seconds from its entry, or a moment in ISO 8601 with an offset."""

    delay_s: float = 0.0
    until: str | None = None


class WebhookDocument(StepDocument, kw_only=True, tag="webhook"):
    """A webhook step; see `WebhookNode`."""

    payload_schema: dict[str, Any] | None = None
    into: str | None = None


class SignalDocument(StepDocument, kw_only=True, tag="signal"):
    """A step that waits for a named signal; see `SignalNode`. Without ``signal`` it waits for one of its own name."""

    signal: str | None = None
    payload_schema: dict[str, Any] | None = None
    into: str | None = None


class _GroupDocument(StepDocument, kw_only=True):
    outputs: dict[str, str] = {}
    into: str | None = None


class SequentialDocument(_GroupDocument, kw_only=True, tag="sequential"):
    """Steps one after the other."""

    steps: list[AnyStepDocument]


class ParallelDocument(_GroupDocument, kw_only=True, tag="parallel"):
    """Steps at the same time, and one after all of them."""

    steps: list[AnyStepDocument]
    callback: AnyStepDocument | None = None


class RaceDocument(_GroupDocument, kw_only=True, tag="race"):
    """Steps at the same time, of which the first to finish counts."""

    steps: list[AnyStepDocument]


class ConditionalDocument(_GroupDocument, kw_only=True, tag="conditional"):
    """The branch whose key the selector gives."""

    selector: str
    branches: dict[str, AnyStepDocument]


class ForEachDocument(StepDocument, kw_only=True, tag="for_each"):
    """The body once for each item of the source."""

    source: str
    body: AnyStepDocument
    item: str = "item"
    index: str = "index"
    concurrency: int = 16
    into: str | None = None


AnyStepDocument: TypeAlias = (
    MachineDocument
    | HumanDocument
    | GatewayDocument
    | TimerDocument
    | WebhookDocument
    | SignalDocument
    | SequentialDocument
    | ParallelDocument
    | RaceDocument
    | ConditionalDocument
    | ForEachDocument
)


class EdgeDocument(_Document, kw_only=True):
    """An edge between two steps of the top."""

    source: str
    target: str
    on: Outcome = Outcome.SUCCESS
    condition: str | None = None
    default: bool = False


class WorkflowDocument(_Document, kw_only=True):
    """A workflow."""

    name: str
    steps: list[AnyStepDocument]
    version: str = "1.0.0"
    description: str = ""
    edges: list[EdgeDocument] = []
    initial: str | None = None
    reducers: dict[str, str] = {}
    input_schema: dict[str, Any] | None = None
    deadline_s: float | None = None
    queue: str | None = None
    priority: int = 0
    concurrency: ConcurrencyLimit | int | None = None


def document_schema() -> dict[str, Any]:
    """The JSON Schema of workflows that are written as data."""
    return msgspec.json.schema(WorkflowDocument)
