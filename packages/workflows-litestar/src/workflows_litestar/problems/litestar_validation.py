"""Read what Litestar says about a request that it refused."""

from __future__ import annotations

import re
from typing import Any, Final

from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg

from workflows_litestar.problems.details import FieldProblem, json_pointer

__all__ = ["field_problems"]

_MISSING_FIELD: Final = re.compile(r"missing required field `([^`]+)`")
_UNKNOWN_FIELD: Final = re.compile(r"contains unknown field `([^`]+)`")
_INDEX: Final = re.compile(r"\[(\d+)\]")


def field_problems(error: HTTPException, handler: HTTPRouteHandler) -> tuple[FieldProblem, ...]:
    """The places in a request that Litestar found wrong; none if it names none."""
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return ()
    return tuple(_field_problem(entry, handler) for entry in error.extra)


def _field_problem(entry: dict[str, Any], handler: HTTPRouteHandler) -> FieldProblem:
    message, key = str(entry["message"]), str(entry.get("key", ""))
    source = getattr(entry.get("source", ""), "value", entry.get("source", ""))
    if source != "body":
        return FieldProblem(message, _wire_name(key, handler), source or "query")
    if key == "data":
        if message == "'data'":
            return FieldProblem("a JSON body is required")
        key = ""
    places = [part for part in _INDEX.sub(r".\1", key).split(".") if part]
    if found := _MISSING_FIELD.search(message) or _UNKNOWN_FIELD.search(message):
        places.append(found[1])
    return FieldProblem(message, json_pointer(places))


def _wire_name(name: str, handler: HTTPRouteHandler) -> str:
    """The name that clients know a parameter by; Litestar tells that of the Python parameter."""
    parameter = handler.parsed_fn_signature.parameters.get(name)
    definition = parameter.kwarg_definition if parameter is not None else None
    return definition.name or name if isinstance(definition, ParameterKwarg) else name
