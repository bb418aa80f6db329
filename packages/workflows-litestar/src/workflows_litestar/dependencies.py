"""What handlers are given, and under which names."""

from __future__ import annotations

import inspect
from typing import Any, Final

from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from workflows_core import Actor, WorkflowEngine

__all__ = ["ACTOR_KEY", "ENGINE_KEY", "CurrentActor", "Engine", "alias"]

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
