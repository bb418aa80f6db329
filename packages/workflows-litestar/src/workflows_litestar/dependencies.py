"""What handlers are given, and under which names."""

from __future__ import annotations

import inspect
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation

from workflows_core import Actor, WorkflowEngine

__all__ = ["ACTOR_KEY", "ENGINE_KEY", "CurrentActor", "Engine", "alias", "require_json"]

ENGINE_KEY: Final = "workflow_engine"
"""Name of the engine in our own handlers."""

ACTOR_KEY: Final = "workflow_actor"
"""Name of the actor in our own handlers."""

# Not validated: what an application injects (a subclass, a proxy) is its own affair.
Engine = NamedDependency[SkipValidation[WorkflowEngine]]
_Anything = NamedDependency[SkipValidation[Any]]
CurrentActor = NamedDependency[SkipValidation[Actor]]


def alias(key: str) -> Provide:
    """A dependency that is the application's dependency of another name."""

    def provide(**dependencies: Any) -> Any:
        return dependencies[key]

    parameter = inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=_Anything)
    provide.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    provide.__annotations__ = {key: _Anything}
    return Provide(provide, sync_to_thread=False)


def require_json(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse bodies that are not declared as JSON.

    A browser sends such bodies to other sites without asking them first (forms, ``text/plain``), with the user's cookies; one
    declared as JSON it does not.

    Raises:
        HTTPException: 415, for another content type or none.
    """
    if connection.scope.get("method") not in {"POST", "PUT", "PATCH"}:
        return
    media_type = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        shown = media_type or "no content type"
        raise HTTPException(status_code=415, detail=f"Send the body as application/json; this one has {shown}.")
