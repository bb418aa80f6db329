"""Litestar plugin for workflows: REST API, OpenAPI, guards, dependencies and commands.

app = Litestar(plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=LocalExecutionEngine(registry)))])
"""

from __future__ import annotations

from workflows_litestar.config import EngineFactory, WorkflowPluginConfig
from workflows_litestar.identity import ActorProvider, actor_from_user
from workflows_litestar.plugin import WorkflowPlugin, WorkflowWebPlugin
from workflows_litestar.problems import PROBLEM_PREFIX, ProblemDetails

__all__ = [
    "PROBLEM_PREFIX",
    "ActorProvider",
    "EngineFactory",
    "ProblemDetails",
    "WorkflowPlugin",
    "WorkflowPluginConfig",
    "WorkflowWebPlugin",
    "actor_from_user",
]
