"""What can be set about the plugin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from litestar import Litestar
from litestar.types import Guard
from litestar.utils import normalize_path

from workflows_core import Actor, WorkflowEngine
from workflows_litestar.identity import ANONYMOUS, ActorProvider, actor_from_user

__all__ = ["EngineFactory", "WorkflowPluginConfig"]

EngineFactory = Callable[[Litestar], WorkflowEngine | Awaitable[WorkflowEngine]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowPluginConfig:
    """Settings of `WorkflowPlugin`; the defaults are safe: nothing is open to anonymous requests, and no step runs here."""

    engine: WorkflowEngine | EngineFactory | None = None
    """The engine, or a function that gets it when the application starts (plain or asynchronous; it is given the application).

    An engine given here is opened and closed with the application. One that a function gets is opened, and closed by whoever made
    it. With None, the application itself provides the dependency ``engine_dependency_key``, and opens and closes its engine.
    """

    path_prefix: str = "/workflows"
    """Path below which all routes are mounted: ``{prefix}/api``, ``{prefix}/admin`` and ``{prefix}/ui``."""

    enable_api: bool = True
    """Mount the REST API."""

    enable_admin: bool = True
    """Mount the routes for operators. Without ``admin_guard`` they are left out all the same, unless ``allow_anonymous`` is set."""

    enable_ui: bool = False
    """Mount the web UI; needs the package ``workflows-ui``."""

    auth_guard: Guard | None = None
    """Guard of the API, asked before the actor is; webhooks are outside, for their signed address is their permission."""

    admin_guard: Guard | None = None
    """Guard of the routes for operators, who see all tenants."""

    actor_provider: ActorProvider = actor_from_user
    """Says who makes a request; by default ``request.user``. Requests of nobody are answered 401, reading ones too."""

    allow_anonymous: bool = False
    """Let requests of nobody act as ``anonymous_actor``, and mount the routes for operators without a guard. Not for production."""

    anonymous_actor: Actor = ANONYMOUS
    """Who acts where nobody is known; only with ``allow_anonymous``."""

    run_worker: bool = False
    """Also run a worker in this process. Each process of the server then runs one; better let ``workflows worker`` do it."""

    worker_concurrency: int = 32
    """Most steps at once of that worker."""

    worker_drain_s: float = 20.0
    """Seconds that steps under way have at shutdown to finish; after that they are given back to other workers."""

    max_body_bytes: int = 5 * 1024 * 1024
    """Largest request body; a larger one is answered 413 and not read to its end."""

    include_in_schema: bool = True
    """Show the routes in the OpenAPI document."""

    tags: Sequence[str] = ()
    """Further OpenAPI tags of every operation, beside those of its kind."""

    engine_dependency_key: str = "workflow_engine"
    """Name under which handlers of the application get the engine."""

    registry_dependency_key: str = "workflow_registry"
    """Name under which handlers of the application get the engine's registry."""

    @property
    def api_path(self) -> str:
        """Path of the REST API; ``EngineSettings.public_url`` must end with it for webhook addresses to lead here."""
        return normalize_path(f"{self.path_prefix}/api")

    @property
    def mounts_admin(self) -> bool:
        """Whether the routes for operators are mounted."""
        return self.enable_admin and (self.admin_guard is not None or self.allow_anonymous)
