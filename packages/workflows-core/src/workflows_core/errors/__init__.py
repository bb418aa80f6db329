"""Errors raised by workflows.

::

    WorkflowsError
    ├── DefinitionError                     the program is wrong
    │   ├── InvalidDefinitionError              a definition has problems; lists all of them
    │   ├── ExpressionError                     a condition does not parse or uses what is not allowed
    │   ├── DefinitionNotFoundError             no workflow of that name or version (alias WorkflowNotFoundError)
    │   ├── DefinitionConflictError             the same name and version registered twice with different content
    │   └── NotProvidedError                    the code of a step wants what its injector does not have
    ├── ValidationError                     the request is wrong
    │   ├── InputValidationError                initial data do not satisfy the schema of the workflow
    │   ├── FormValidationError                 form data do not satisfy the form of the task
    │   └── InvalidCursorError                  a page cursor was not made by this query
    ├── PayloadError                        a value cannot be stored
    │   └── PayloadTooLargeError                the data of an instance grew past the limit
    ├── NotFoundError                       there is no such thing (for this tenant)
    │   ├── InstanceNotFoundError
    │   ├── TaskNotFoundError
    │   └── WebhookNotFoundError                the address was not signed by us, or its instance is gone
    ├── StateError                          the request does not fit the state of the thing
    │   ├── InstanceFinishedError
    │   ├── InstanceEndingError                 it undoes what it has done, and ends by itself
    │   ├── NotParkedError                      it waits for no operator
    │   ├── NothingToReopenError                what it had done was undone
    │   ├── UnknownStepError                    it cannot go on from that step
    │   ├── TaskAlreadyCompletedError
    │   ├── TaskNotOpenError
    │   ├── AmbiguousTaskError
    │   ├── WebhookAlreadyUsedError
    │   ├── UnknownSignalError                  no step waits for a signal of that name
    │   ├── SignalAlreadyReceivedError          its deduplication key was seen before
    │   ├── IdempotencyConflictError            the key was used before with other input
    │   ├── StaleExecutionError                 the step execution is no longer active
    │   └── ItemsNotLoadedError                 the decision needs item scopes that were not read
    ├── PermissionDeniedError               the actor may not do this
    ├── StepExecutionError                  a step failed
    │   ├── NonRetryableError                   raised by a step: trying again is of no use
    │   ├── StepTimeoutError                    an attempt took too long, or its code gave no sign of life
    │   ├── ConditionError                      a condition could not be evaluated
    │   ├── ReducerError                        a reducer could not take a value
    │   ├── TransactionTimeoutError             a transactional step kept all others waiting
    │   └── InvalidTransitionError              a step ended and none of its edges could be taken
    ├── ConcurrencyError                    somebody else was first
    │   ├── RevisionConflictError
    │   └── LeaseLostError
    ├── TransactionError                    a transaction cannot be shared with the store
    │   ├── TransactionsNotSupportedError       the store has none
    │   ├── SessionRefusedError                 the session leads to something else than the store
    │   └── TransactionOpenError                the call would wait for its own caller
    └── InfrastructureError                 try again later
        ├── StoreUnavailableError
        └── TransactionAbortedError             the database gave it up in favour of another one

Every error keeps its arguments in ``args``, so it survives pickling; its message is made when it is shown.
"""

from __future__ import annotations

from workflows_core.errors.definitions import (
    DefinitionConflictError,
    DefinitionError,
    DefinitionNotFoundError,
    ExpressionError,
    InvalidDefinitionError,
    NotProvidedError,
    WorkflowNotFoundError,
)
from workflows_core.errors.execution import (
    ConditionError,
    InfrastructureError,
    InvalidTransitionError,
    NonRetryableError,
    PayloadError,
    PayloadTooLargeError,
    ReducerError,
    StepExecutionError,
    StepTimeoutError,
    StoreUnavailableError,
)
from workflows_core.errors.requests import (
    FormValidationError,
    InputValidationError,
    InstanceNotFoundError,
    InvalidCursorError,
    NotFoundError,
    PermissionDeniedError,
    TaskNotFoundError,
    ValidationError,
    WebhookNotFoundError,
)
from workflows_core.errors.root import (
    WorkflowsError,
)
from workflows_core.errors.states import (
    AmbiguousTaskError,
    ConcurrencyError,
    IdempotencyConflictError,
    InstanceEndingError,
    InstanceFinishedError,
    ItemsNotLoadedError,
    LeaseLostError,
    NothingToReopenError,
    NotParkedError,
    RevisionConflictError,
    SignalAlreadyReceivedError,
    StaleExecutionError,
    StateError,
    TaskAlreadyCompletedError,
    TaskNotOpenError,
    UnknownSignalError,
    UnknownStepError,
    WebhookAlreadyUsedError,
)
from workflows_core.errors.transactions import (
    SessionRefusedError,
    TransactionAbortedError,
    TransactionError,
    TransactionOpenError,
    TransactionsNotSupportedError,
    TransactionTimeoutError,
)

__all__ = [
    "AmbiguousTaskError",
    "ConcurrencyError",
    "ConditionError",
    "DefinitionConflictError",
    "DefinitionError",
    "DefinitionNotFoundError",
    "ExpressionError",
    "FormValidationError",
    "IdempotencyConflictError",
    "InfrastructureError",
    "InputValidationError",
    "InstanceEndingError",
    "InstanceFinishedError",
    "InstanceNotFoundError",
    "InvalidCursorError",
    "InvalidDefinitionError",
    "InvalidTransitionError",
    "ItemsNotLoadedError",
    "LeaseLostError",
    "NonRetryableError",
    "NotFoundError",
    "NotParkedError",
    "NotProvidedError",
    "NothingToReopenError",
    "PayloadError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "ReducerError",
    "RevisionConflictError",
    "SessionRefusedError",
    "SignalAlreadyReceivedError",
    "StaleExecutionError",
    "StateError",
    "StepExecutionError",
    "StepTimeoutError",
    "StoreUnavailableError",
    "TaskAlreadyCompletedError",
    "TaskNotFoundError",
    "TaskNotOpenError",
    "TransactionAbortedError",
    "TransactionError",
    "TransactionOpenError",
    "TransactionTimeoutError",
    "TransactionsNotSupportedError",
    "UnknownSignalError",
    "UnknownStepError",
    "ValidationError",
    "WebhookAlreadyUsedError",
    "WebhookNotFoundError",
    "WorkflowNotFoundError",
    "WorkflowsError",
]
