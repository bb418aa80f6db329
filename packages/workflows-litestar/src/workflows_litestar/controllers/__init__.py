"""The routes, one controller for each kind of resource. They read the request, call the engine and show what it returned."""

from __future__ import annotations

from workflows_litestar.controllers.admin import WorkflowAdminController
from workflows_litestar.controllers.control import WorkflowControlController
from workflows_litestar.controllers.dead_letters import DeadLetterController
from workflows_litestar.controllers.definitions import WorkflowDefinitionController
from workflows_litestar.controllers.instances import WorkflowInstanceController
from workflows_litestar.controllers.tasks import HumanTaskController
from workflows_litestar.controllers.webhooks import WebhookController

__all__ = [
    "DeadLetterController",
    "HumanTaskController",
    "WebhookController",
    "WorkflowAdminController",
    "WorkflowControlController",
    "WorkflowDefinitionController",
    "WorkflowInstanceController",
]
