"""The root of all errors."""

from __future__ import annotations

__all__ = [
    "WorkflowsError",
]


class WorkflowsError(Exception):
    """Root of all errors of this library."""
