"""JSON Schemas, written as such or as a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workflows_core.authoring.report import Report
from workflows_core.domain.forms import schema_for
from workflows_core.errors import WorkflowsError

__all__ = ["read_schema"]

_MEND: Final = "write a JSON Schema as a dict, or a msgspec Struct or dataclass"


def read_schema(source: Any, name: str, attribute: str, report: Report) -> dict[str, Any] | None:
    """The JSON Schema that an author wrote, or that of the type; None if there is none or it was reported as wrong.

    Args:
        source: What the author wrote.
        name: Step that it belongs to; empty for the workflow.
        attribute: What it was given as.
        report: Receives what is wrong with it.
    """
    if source is None:
        return None
    if isinstance(source, Mapping):
        return dict(source)
    reason = f"{attribute} is {source!r}, which is no JSON Schema"
    if isinstance(source, type):
        try:
            return schema_for(source)
        except (WorkflowsError, TypeError) as error:
            reason = f"{attribute}: {error}"
    if name:
        report.about_step(name, "bad_schema", reason, _MEND)
    else:
        report.about_workflow("bad_schema", reason, _MEND)
    return None
