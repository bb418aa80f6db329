"""The plugin: mounts the routes, provides the engine, and lives with the application."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from litestar import Controller, Router
from litestar.config.app import AppConfig
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.exceptions import ImproperlyConfiguredException
from litestar.plugins import CLIPlugin, InitPlugin
from litestar.types import Guard

from workflows_core import WorkflowEngine, WorkflowRegistry
from workflows_litestar.config import EngineFactory, WorkflowPluginConfig
from workflows_litestar.controllers import (
    DeadLetterController,
    HumanTaskController,
    WebhookController,
    WorkflowAdminController,
    WorkflowControlController,
    WorkflowDefinitionController,
    WorkflowInstanceController,
)
from workflows_litestar.controllers.parameters import provide_paging
from workflows_litestar.dependencies import ACTOR_KEY, ENGINE_KEY, alias
from workflows_litestar.identity import ActorGuard, provide_actor
from workflows_litestar.lifespan import EngineLifespan
from workflows_litestar.openapi import StrictBodySchemas, with_tags
from workflows_litestar.problems.handlers import EXCEPTION_HANDLERS
from workflows_litestar.request_bodies import require_json

if TYPE_CHECKING:
    from click import Group

__all__ = ["UI_ENTRY_POINTS", "WorkflowPlugin", "WorkflowWebPlugin"]

UI_ENTRY_POINTS: Final = "workflows_litestar.ui"
"""Entry points of this group give the router of a web UI; they are called with the `WorkflowPluginConfig`."""


class WorkflowPlugin(InitPlugin, CLIPlugin, StrictBodySchemas):
    """Mounts workflows on a Litestar application: REST API, OpenAPI, dependencies, lifespan and commands.

    Args:
        config: Settings; the defaults want the application to provide the engine.
    """

    def __init__(self, config: WorkflowPluginConfig | None = None) -> None:
        self.config = config if config is not None else WorkflowPluginConfig()
        self._lifespan = EngineLifespan(self.config)
        if self.config.run_worker and self.config.engine is None:
            msg = "run_worker=True needs WorkflowPluginConfig(engine=…): an engine, or a function that gets it from the application"
            raise ImproperlyConfiguredException(msg)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add routes, dependencies and lifespan to the application.

        Raises:
            ImproperlyConfiguredException: ``enable_ui`` is set and no package gives a UI.
        """
        config = self.config
        app_config.route_handlers.append(
            Router(
                path=config.path_prefix,
                route_handlers=self._routers(),
                dependencies=self._own_dependencies(),
                exception_handlers=EXCEPTION_HANDLERS,
                include_in_schema=config.include_in_schema,
                request_max_body_size=config.max_body_bytes,
                tags=list(config.tags),
            )
        )
        if config.engine is not None:
            app_config.dependencies.setdefault(config.engine_dependency_key, self._engine_provider())
            app_config.dependencies.setdefault(config.registry_dependency_key, self._registry_provider())
            app_config.lifespan.append(self._lifespan.run)
        if app_config.openapi_config is not None and config.include_in_schema:
            app_config.openapi_config = with_tags(app_config.openapi_config)
        app_config.signature_namespace.setdefault("WorkflowEngine", WorkflowEngine)
        app_config.signature_namespace.setdefault("WorkflowRegistry", WorkflowRegistry)
        return app_config

    def on_cli_init(self, cli: Group) -> None:
        """Mount the commands of workflows below ``litestar workflows``."""
        from workflows_litestar.cli import workflows_group

        cli.add_command(workflows_group(self.config))

    def _routers(self) -> list[Router]:
        config = self.config
        routers: list[Router] = []
        if config.enable_api:
            guarded = [
                WorkflowDefinitionController,
                WorkflowInstanceController,
                WorkflowControlController,
                DeadLetterController,
                HumanTaskController,
            ]
            routers += [
                _router("/api", guarded, [*_given(config.auth_guard), self._actor_guard(), require_json]),
                _router("/api", [WebhookController], [require_json]),
            ]
        if config.mounts_admin:
            routers.append(_router("/admin", [WorkflowAdminController], _given(config.admin_guard)))
        if config.enable_ui:
            routers.append(_load_ui(config))
        return routers

    def _actor_guard(self) -> ActorGuard:
        anonymous = self.config.anonymous_actor if self.config.allow_anonymous else None
        return ActorGuard(self.config.actor_provider, anonymous)

    def _own_dependencies(self) -> dict[str, Provide]:
        """What our own handlers are given, under names that the application's names do not touch."""
        key = self.config.engine_dependency_key
        own = {
            ACTOR_KEY: Provide(provide_actor, sync_to_thread=False),
            "paging": Provide(provide_paging, sync_to_thread=False),
        }
        if self.config.engine is not None:
            own[ENGINE_KEY] = self._engine_provider()
        elif key != ENGINE_KEY:
            own[ENGINE_KEY] = alias(key)
        return own

    def _engine_provider(self) -> Provide:
        return Provide(lambda: self._lifespan.engine, sync_to_thread=False)

    def _registry_provider(self) -> Provide:
        return Provide(lambda: self._lifespan.engine.registry, sync_to_thread=False)


class WorkflowWebPlugin(WorkflowPlugin):
    """The plugin with its settings as keyword arguments; further ones are those of `WorkflowPluginConfig`."""

    def __init__(
        self,
        *,
        engine: WorkflowEngine | EngineFactory | None = None,
        path_prefix: str = "/workflows",
        enable_admin: bool = True,
        enable_api: bool = True,
        enable_ui: bool = False,
        auth_guard: Guard | None = None,
        admin_guard: Guard | None = None,
        include_in_schema: bool = True,
        tags: Sequence[str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            WorkflowPluginConfig(
                engine=engine,
                path_prefix=path_prefix,
                enable_admin=enable_admin,
                enable_api=enable_api,
                enable_ui=enable_ui,
                auth_guard=auth_guard,
                admin_guard=admin_guard,
                include_in_schema=include_in_schema,
                tags=tags if tags is not None else (),
                **settings,
            )
        )


def _router(path: str, controllers: Sequence[type[Controller]], guards: Sequence[Guard]) -> Router:
    return Router(
        path=path,
        route_handlers=list(controllers),
        guards=list(guards),
        cache_control=CacheControlHeader(no_store=True),
    )


def _given(guard: Guard | None) -> list[Guard]:
    return [] if guard is None else [guard]


def _load_ui(config: WorkflowPluginConfig) -> Router:
    for entry_point in entry_points(group=UI_ENTRY_POINTS):
        router: Router = entry_point.load()(config)
        return router
    msg = "enable_ui=True needs a package with the web UI: pip install workflows-ui, or leave enable_ui out"
    raise ImproperlyConfiguredException(msg)
