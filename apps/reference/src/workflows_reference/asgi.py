"""The web application: Litestar with the workflows plugin, a login and the demo's own pages.

`create_app` needs nothing but the environment, so that any ASGI server and the ``litestar`` command can use it:
``litestar --app workflows_reference.asgi:create_app workflows list``. The database must be ready then: ``workflows-demo`` makes it.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any, Final

from dishka import AsyncContainer
from dishka.integrations.litestar import setup_dishka
from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.logging import LoggingConfig
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.status_codes import HTTP_500_INTERNAL_SERVER_ERROR

from workflows_core import WorkflowEngine
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig
from workflows_reference.accounts.sessions import COOKIE, DemoAuthentication, SessionController
from workflows_reference.ioc import make_container
from workflows_reference.settings import load_settings
from workflows_reference.web.api_page import ApiPage
from workflows_reference.web.home import health, home
from workflows_reference.web.records import RecordController

__all__ = ["create_app"]

logger = logging.getLogger(__name__)

_DESCRIPTION: Final = (
    "Three workflows with people, machines and time: expense approval, document review, employee onboarding. A demo: log in as "
    "alice, bob, carol, dan, erin, hana, admin or zoe; everybody's password is `demo`."
)

_EXAMPLES: Final = {
    "/workflows/api/instances": {
        "workflow_name": "expense_approval",
        "initial_data": {"purpose": "Train to Ghent", "category": "travel", "amount": 84.50},
    },
    "/workflows/api/instances/{instance_id}/retry": {"from_step": "pay"},
    "/workflows/api/tasks/{task_id}/complete": {"form_data": {"decision": "approve"}, "comment": "Have a good trip."},
}


def create_app(container: AsyncContainer | None = None) -> Litestar:
    """The application.

    Args:
        container: Gives it everything; None makes one from the environment. It is closed with the application.

    Raises:
        InvalidSettingError: An environment variable has a value that cannot be used.
    """
    services = container if container is not None else make_container(load_settings())

    async def engine_of(app: Litestar) -> WorkflowEngine:
        found: AsyncContainer = app.state.dishka_container
        return await found.get(WorkflowEngine)

    app = Litestar(
        route_handlers=[home, health, SessionController, RecordController],
        middleware=[DefineMiddleware(DemoAuthentication)],
        plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=engine_of, admin_guard=_require_admin))],
        openapi_config=_openapi(),
        exception_handlers={HTTP_500_INTERNAL_SERVER_ERROR: _report},
        logging_config=LoggingConfig(root={"level": "WARNING", "handlers": ["queue_listener"]}),
        on_shutdown=[services.close],
    )
    setup_dishka(services, app)
    return app


def _require_admin(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let only holders of the role ``admin`` see all companies at once."""
    user = connection.user
    if "admin" not in getattr(user, "roles", ()):
        raise PermissionDeniedException(detail="The routes for operators are for the role admin: log in as admin.")


def _report(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """Log an error that nobody foresaw in a route of the demo; those of the plugin have their own way."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    body = {"status_code": 500, "detail": "The server could not do this; its log says why."}
    return Response(body, status_code=HTTP_500_INTERNAL_SERVER_ERROR)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="workflows demo",
        version=version("workflows-reference"),
        description=_DESCRIPTION,
        path="/schema",
        render_plugins=[ApiPage(_EXAMPLES), SwaggerRenderPlugin(path="/swagger")],
        tags=[Tag(name="Demo", description="Logging in, and what the workflows did.")],
        security=[{"bearer": []}, {"cookie": []}],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", description="The token from `POST /login`."),
                "cookie": SecurityScheme(type="apiKey", name=COOKIE, security_scheme_in="cookie"),
            }
        ),
    )
