"""Durable human-and-machine workflows: what applications import.

Write workflows with `Workflow`, the steps and groups, or the decorators `workflow`, `step` and `human_task`; run them with an
engine: `LocalExecutionEngine` in memory, or one from an adapter package over a database.
"""

from __future__ import annotations

from workflows_core.adapters.event_bus import EventBus
from workflows_core.adapters.factory_injector import FactoryInjector
from workflows_core.adapters.in_process_executor import InProcessExecutor, NullExecutor
from workflows_core.adapters.json_codec import JsonCodec
from workflows_core.adapters.local import InProcessEngine, LocalExecutionEngine
from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.safe_expressions import SafeExpressions
from workflows_core.adapters.system_clock import SystemClock
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.authoring.catalogue import StepCatalogue
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.decorators import human_task, step, workflow
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.document_types import document_schema
from workflows_core.authoring.documents import definition_from_document
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.gateway import BaseGateway, ExclusiveGateway, InclusiveGateway, ParallelGateway
from workflows_core.authoring.groups import (
    ConditionalGroup,
    ForEach,
    ParallelGroup,
    RaceGroup,
    SequentialGroup,
    StepGroup,
)
from workflows_core.authoring.human import BaseHumanStep
from workflows_core.authoring.parameters import Injected
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.authoring.signal import WaitForSignal
from workflows_core.authoring.step import BaseMachineStep, BaseStep, Step
from workflows_core.authoring.surroundings import Undoing
from workflows_core.authoring.timer import DelayStep, ScheduledStep, TimerStep
from workflows_core.authoring.webhook import WebhookStep
from workflows_core.authoring.workflow import Workflow
from workflows_core.domain.actor import Actor
from workflows_core.domain.events import (
    HumanTaskCanceled,
    HumanTaskCompleted,
    HumanTaskCreated,
    HumanTaskReassigned,
    SignalReceived,
    StepCanceled,
    StepCompensated,
    StepCompensationFailed,
    StepCompleted,
    StepFailed,
    StepRetryScheduled,
    StepSkipped,
    WebhookReceived,
    WorkflowCanceled,
    WorkflowCompensating,
    WorkflowCompleted,
    WorkflowDiscarded,
    WorkflowEvent,
    WorkflowFailed,
    WorkflowRetried,
    WorkflowStarted,
)
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.problems import Problem
from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit
from workflows_core.domain.types import Outcome, Parking, Phase, StepStatus, StepType, TaskStatus, WorkflowStatus
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.instances import ActiveStep, WorkflowInstance
from workflows_core.engine.protocol import ExecutionEngine
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.signatures import SecretMissingError
from workflows_core.engine.sync import SyncWorkflowEngine
from workflows_core.engine.worker import Worker
from workflows_core.errors import (
    AmbiguousTaskError,
    ConcurrencyError,
    ConditionError,
    DefinitionConflictError,
    DefinitionError,
    DefinitionNotFoundError,
    ExpressionError,
    FormValidationError,
    IdempotencyConflictError,
    InfrastructureError,
    InputValidationError,
    InstanceEndingError,
    InstanceFinishedError,
    InstanceNotFoundError,
    InvalidCursorError,
    InvalidDefinitionError,
    InvalidTransitionError,
    LeaseLostError,
    NonRetryableError,
    NotFoundError,
    NothingToReopenError,
    NotParkedError,
    NotProvidedError,
    PayloadError,
    PayloadTooLargeError,
    PermissionDeniedError,
    ReducerError,
    RevisionConflictError,
    SessionRefusedError,
    SignalAlreadyReceivedError,
    StaleExecutionError,
    StateError,
    StepExecutionError,
    StepTimeoutError,
    StoreUnavailableError,
    TaskAlreadyCompletedError,
    TaskNotFoundError,
    TaskNotOpenError,
    TransactionAbortedError,
    TransactionError,
    TransactionOpenError,
    TransactionsNotSupportedError,
    TransactionTimeoutError,
    UnknownSignalError,
    UnknownStepError,
    ValidationError,
    WebhookAlreadyUsedError,
    WebhookNotFoundError,
    WorkflowNotFoundError,
    WorkflowsError,
)

__all__ = [
    "ActiveStep",
    "Actor",
    "AmbiguousTaskError",
    "BaseGateway",
    "BaseHumanStep",
    "BaseMachineStep",
    "BaseStep",
    "ConcurrencyError",
    "ConcurrencyLimit",
    "ConditionError",
    "ConditionalGroup",
    "DefinitionConflictError",
    "DefinitionError",
    "DefinitionNotFoundError",
    "DelayStep",
    "Edge",
    "EngineSettings",
    "EventBus",
    "ExclusiveGateway",
    "ExecutionEngine",
    "ExpressionError",
    "FactoryInjector",
    "ForEach",
    "FormValidationError",
    "HumanTaskCanceled",
    "HumanTaskCompleted",
    "HumanTaskCreated",
    "HumanTaskReassigned",
    "IdempotencyConflictError",
    "InMemoryWorkflowQueries",
    "InMemoryWorkflowStore",
    "InProcessEngine",
    "InProcessExecutor",
    "InclusiveGateway",
    "InfrastructureError",
    "Injected",
    "InputValidationError",
    "InstanceEndingError",
    "InstanceFinishedError",
    "InstanceNotFoundError",
    "InvalidCursorError",
    "InvalidDefinitionError",
    "InvalidTransitionError",
    "JsonCodec",
    "LeaseLostError",
    "LocalExecutionEngine",
    "MemoryState",
    "NonRetryableError",
    "NotFoundError",
    "NotParkedError",
    "NotProvidedError",
    "NothingToReopenError",
    "NullExecutor",
    "Outcome",
    "ParallelGateway",
    "ParallelGroup",
    "Parking",
    "PayloadError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "Phase",
    "Problem",
    "RaceGroup",
    "RateLimit",
    "ReducerError",
    "RetryPolicy",
    "RevisionConflictError",
    "SafeExpressions",
    "ScheduledStep",
    "SecretMissingError",
    "SequentialGroup",
    "SessionRefusedError",
    "SignalAlreadyReceivedError",
    "SignalReceived",
    "StaleExecutionError",
    "StateError",
    "Step",
    "StepCanceled",
    "StepCatalogue",
    "StepCompensated",
    "StepCompensationFailed",
    "StepCompleted",
    "StepExecutionError",
    "StepFailed",
    "StepGroup",
    "StepRetryScheduled",
    "StepSkipped",
    "StepStatus",
    "StepTimeoutError",
    "StepType",
    "StoreUnavailableError",
    "SyncWorkflowEngine",
    "SystemClock",
    "TaskAlreadyCompletedError",
    "TaskNotFoundError",
    "TaskNotOpenError",
    "TaskStatus",
    "TimerStep",
    "TransactionAbortedError",
    "TransactionError",
    "TransactionOpenError",
    "TransactionTimeoutError",
    "TransactionsNotSupportedError",
    "Undoing",
    "UnknownSignalError",
    "UnknownStepError",
    "Uuid7Generator",
    "ValidationError",
    "WaitForSignal",
    "WebhookAlreadyUsedError",
    "WebhookNotFoundError",
    "WebhookReceived",
    "WebhookStep",
    "Worker",
    "Workflow",
    "WorkflowCanceled",
    "WorkflowCompensating",
    "WorkflowCompleted",
    "WorkflowContext",
    "WorkflowDefinition",
    "WorkflowDiscarded",
    "WorkflowEngine",
    "WorkflowEvent",
    "WorkflowFailed",
    "WorkflowGraph",
    "WorkflowInstance",
    "WorkflowNotFoundError",
    "WorkflowRegistry",
    "WorkflowRetried",
    "WorkflowStarted",
    "WorkflowStatus",
    "WorkflowsError",
    "definition_from_document",
    "document_schema",
    "human_task",
    "step",
    "workflow",
]
