"""Errors while running: payloads, steps and infrastructure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_core.errors.root import WorkflowsError

__all__ = [
    "ConditionError",
    "InfrastructureError",
    "InvalidTransitionError",
    "NonRetryableError",
    "PayloadError",
    "PayloadTooLargeError",
    "ReducerError",
    "StepExecutionError",
    "StepTimeoutError",
    "StoreUnavailableError",
]


class PayloadError(WorkflowsError):
    """Raised when a value cannot be stored; nothing was changed."""

    def __init__(self, key: str, path: str, type_name: str, hint: str, step: str = "") -> None:
        super().__init__(key, path, type_name, hint, step)
        self.key = key
        self.path = path
        self.type_name = type_name
        self.hint = hint
        self.step = step

    def __str__(self) -> str:
        at = f" at {self.path}" if self.path else ""
        by = f" (step {self.step!r})" if self.step else ""
        return f"data key {self.key!r}{by}: value of type {self.type_name}{at} cannot be stored; {self.hint}"


class PayloadTooLargeError(PayloadError):
    """Raised when data would grow past the limit; nothing was changed."""

    def __init__(self, key: str, size: int, limit: int, step: str = "") -> None:
        super().__init__(key, "", "data", "", step)
        self.args = (key, size, limit, step)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        by = f" after step {self.step!r}" if self.step else ""
        return (
            f"{self.key} would take {self.size} bytes{by}, more than the limit of {self.limit}; "
            "store large values elsewhere and keep a reference, or raise max_data_bytes"
        )


class StepExecutionError(WorkflowsError):
    """A step failed, or could not be left."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(step, reason)
        self.step = step
        self.reason = reason

    def __str__(self) -> str:
        return f"step {self.step!r}: {self.reason}"


class ConditionError(StepExecutionError):
    """Raised when a condition fails on the data at hand; `values` are those that it reads."""

    def __init__(self, source: str, reason: str, values: Mapping[str, Any]) -> None:
        super().__init__("", reason)
        self.args = (source, reason, values)
        self.source = source
        self.values = values

    def __str__(self) -> str:
        seen = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"condition {self.source!r} failed: {self.reason}" + (f" (with {seen})" if seen else "")


class ReducerError(StepExecutionError):
    """Raised when a reducer cannot take a value, or a key has none; fields: key, reducer, reason."""

    def __init__(self, key: str, reducer: str, reason: str) -> None:
        super().__init__("", reason)
        self.args = (key, reducer, reason)
        self.key = key
        self.reducer = reducer

    def __str__(self) -> str:
        return f"data key {self.key!r}: reducer {self.reducer!r} {self.reason}"


class InvalidTransitionError(StepExecutionError):
    """Raised when a step ended and its edges are not to be taken; fails the instance, naming the values seen."""

    def __init__(self, step: str, reason: str, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(step, reason)
        self.args = (step, reason, values)
        self.values = dict(values or {})

    def __str__(self) -> str:
        seen = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"step {self.step!r}: {self.reason}" + (f" (with {seen})" if seen else "")


class NonRetryableError(StepExecutionError):
    """To be raised by the code of a step: the attempt has failed, and no policy is to try it again; fields: reason."""

    def __init__(self, reason: str) -> None:
        super().__init__("", reason)
        self.args = (reason,)

    def __str__(self) -> str:
        return self.reason


class StepTimeoutError(StepExecutionError):
    """Raised in the name of a step whose attempt took too long, or whose code gave no sign of life.

    ``is_final`` says that the time of the whole step is over.
    """

    def __init__(self, step: str, reason: str, is_final: bool = False) -> None:  # noqa: FBT001, FBT002 - pickled by position
        super().__init__(step, reason)
        self.args = (step, reason, is_final)
        self.is_final = is_final


class InfrastructureError(WorkflowsError):
    """Something outside does not work; try again later."""


class StoreUnavailableError(InfrastructureError):
    """Raised when the store cannot be reached or cannot answer now."""

    def __init__(self, reason: str, mend: str = "check that the database runs and that its URL is right") -> None:
        super().__init__(reason, mend)
        self.reason = reason
        self.mend = mend

    def __str__(self) -> str:
        return f"the store is not available: {self.reason}; {self.mend}"
