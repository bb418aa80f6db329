"""Errors as problem details (RFC 9457): one table from errors to statuses, their handlers and their documentation."""

from __future__ import annotations

from workflows_litestar.problems.details import FieldProblem, ProblemDetails
from workflows_litestar.problems.kinds import PROBLEM_PREFIX, PROBLEMS, ProblemKind, kind_of

__all__ = ["PROBLEMS", "PROBLEM_PREFIX", "FieldProblem", "ProblemDetails", "ProblemKind", "kind_of"]
