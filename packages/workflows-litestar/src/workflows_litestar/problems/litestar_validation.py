"""Read what Litestar says about a request that it refused."""

from __future__ import annotations

import re
from typing import Any, Final

from litestar.exceptions import HTTPException, ValidationException

from workflows_litestar.problems.details import FieldProblem

__all__ = ["field_problems"]

_MISSING_FIELD: Final = re.compile(r"missing required field `([^`]+)`")
_UNKNOWN_FIELD: Final = re.compile(r"contains unknown field `([^`]+)`")
_INDEX: Final = re.compile(r"\[(\d+)\]")


def field_problems(error: HTTPException) -> tuple[FieldProblem, ...]:
    """The places in a request that Litestar found wrong; none if it names none."""
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return ()
    return tuple(_field_problem(entry) for entry in error.extra)


def _field_problem(entry: dict[str, Any]) -> FieldProblem:
    message, key = str(entry["message"]), str(entry.get("key", ""))
    source = getattr(entry.get("source", ""), "value", entry.get("source", ""))
    if source != "body":
        return FieldProblem(message, key, source or "query")
    if key == "data":
        if message == "'data'":
            return FieldProblem("a JSON body is required")
        key = ""
    if found := _MISSING_FIELD.search(message) or _UNKNOWN_FIELD.search(message):
        key = f"{key}.{found[1]}" if key else found[1]
    return FieldProblem(message, "".join(f"/{part}" for part in _INDEX.sub(r".\1", key).split(".") if part))
