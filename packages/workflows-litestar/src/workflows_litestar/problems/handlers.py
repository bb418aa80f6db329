"""Turn exceptions into problem details; mounted on our own router, so the other routes of the application keep their errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from workflows_core import errors
from workflows_litestar.problems.details import PROBLEM_MEDIA_TYPE, ProblemDetails
from workflows_litestar.problems.kinds import HTTP_PROBLEMS, INTERNAL, ProblemKind, kind_of
from workflows_litestar.problems.litestar_validation import field_problems
from workflows_litestar.problems.members import members_of

__all__ = ["EXCEPTION_HANDLERS", "problem_of"]

_LOGGER: Final = logging.getLogger("workflows_litestar")
_WITHHELD: Final = "The server could not do this; its log says why."
_UNAVAILABLE: Final = "The store of the workflows cannot be reached; ask again in some seconds."

_AnyRequest = Request[Any, Any, Any]


def handle_workflows_error(request: _AnyRequest, error: errors.WorkflowsError) -> Response[ProblemDetails]:
    """Show an error of the engine as its kind in the table says."""
    kind = kind_of(type(error))
    if kind.status >= 500:
        _log(request, error)
    return _respond(request, kind, _detail(request, kind, error), members=members_of(error))


def problem_of(request: _AnyRequest, error: errors.WorkflowsError) -> ProblemDetails:
    """What a response says about an error that concerns a part of its request only."""
    kind = kind_of(type(error))
    if kind.status >= 500:
        _log(request, error)
    return _problem(request, kind, _detail(request, kind, error), members_of(error))


def handle_http_exception(request: _AnyRequest, error: HTTPException) -> Response[ProblemDetails]:
    """Show an error of Litestar, of a guard or of a middleware."""
    kind = HTTP_PROBLEMS.get(error.status_code) or ProblemKind(
        f"http-{error.status_code}", error.status_code, error.detail
    )
    if kind.status >= 500:
        _log(request, error)
        return _respond(request, kind, _detail(request, kind, error), headers=error.headers)
    found = field_problems(error, request.route_handler)
    members = {"errors": found} if found else {}
    return _respond(request, kind, error.detail, members=members, headers=error.headers)


def handle_unexpected_error(request: _AnyRequest, error: Exception) -> Response[ProblemDetails]:
    """Show an error that nobody foresaw; its text goes to the log, and to the client only in debug mode."""
    _log(request, error)
    return _respond(request, INTERNAL, _detail(request, INTERNAL, error))


EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {
    errors.WorkflowsError: handle_workflows_error,
    HTTPException: handle_http_exception,
    Exception: handle_unexpected_error,
    # Litestar prefers handlers by status to handlers by class: without these, those of the application would win here.
    **{status: handle_http_exception for status in HTTP_PROBLEMS if status != INTERNAL.status},
}


def _respond(
    request: _AnyRequest,
    kind: ProblemKind,
    detail: str,
    *,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[ProblemDetails]:
    sent = dict(headers or {})
    if kind.retry_after_s is not None:
        sent.setdefault("Retry-After", str(kind.retry_after_s))
    problem = _problem(request, kind, detail, members or {})
    return Response(problem, status_code=kind.status, headers=sent, media_type=PROBLEM_MEDIA_TYPE)


def _problem(request: _AnyRequest, kind: ProblemKind, detail: str, members: Mapping[str, Any]) -> ProblemDetails:
    return ProblemDetails(
        type=kind.type, title=kind.title, status=kind.status, detail=detail, instance=request.scope["path"], **members
    )


def _detail(request: _AnyRequest, kind: ProblemKind, error: Exception) -> str:
    """What the client may read: nothing of the server's inside unless it is being debugged."""
    if kind.status < 500:
        return str(error)
    if request.app.debug:
        return f"{type(error).__name__}: {error}"
    return _UNAVAILABLE if isinstance(error, errors.InfrastructureError) else _WITHHELD


def _log(request: _AnyRequest, error: Exception) -> None:
    # The path itself may hold a webhook's token, which is a secret.
    _LOGGER.error("%s %s failed", request.method, request.scope.get("path_template"), exc_info=error)
