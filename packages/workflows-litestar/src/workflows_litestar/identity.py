"""Who acts: the port that the application implements, and the guard that asks it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException, NotAuthorizedException
from litestar.handlers import BaseRouteHandler

from workflows_core import Actor

__all__ = ["ANONYMOUS", "ActorGuard", "ActorProvider", "actor_from_user", "provide_actor"]

ANONYMOUS: Final = Actor("anonymous")
"""Acts where nobody is known, if the application allows that; without a tenant, groups and roles."""

_STATE_KEY: Final = "workflows_actor"
_MISSING: Final = object()


class ActorProvider(Protocol):
    """Says who makes a request."""

    def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], /) -> Actor | Awaitable[Actor | None] | None:
        """Read the actor from the connection: from its user, its session or its verified headers; never from the body.

        Returns:
            The actor with the groups, roles and tenant that the application vouches for, or None if nobody is known.
        """


def actor_from_user(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
    """The default `ActorProvider`: read ``request.user``, as Litestar's authentication middleware sets it.

    The user may be an object or a mapping. ``id`` becomes text; ``groups`` and ``roles`` are texts or collections of texts, and
    ``tenant_id`` may be None; these three may be missing. No user, or one whose ``id`` is None or empty, is nobody.

    Raises:
        ImproperlyConfiguredException: The user has no ``id`` at all; pass an ``actor_provider`` that knows its class.
    """
    user = connection.scope.get("user")
    if user is None:
        return None
    identity = _read(user, "id")
    if identity is _MISSING:
        msg = (
            f"the user of the request is a {type(user).__name__} without 'id'; "
            "pass WorkflowPluginConfig(actor_provider=…) that makes an Actor of it"
        )
        raise ImproperlyConfiguredException(msg)
    if identity is None or identity == "":
        return None
    tenant = _read(user, "tenant_id")
    return Actor(
        id=str(identity),
        groups=_names(_read(user, "groups")),
        roles=_names(_read(user, "roles")),
        tenant="" if tenant is _MISSING or tenant is None else str(tenant),
    )


class ActorGuard:
    """Asks the provider once for each request; answers 401 when nobody acts.

    Args:
        provider: Says who makes a request.
        anonymous: Acts where nobody is known; None refuses such requests.
    """

    def __init__(self, provider: ActorProvider, anonymous: Actor | None) -> None:
        self._provider = provider
        self._anonymous = anonymous

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Remember the actor of a connection.

        Raises:
            NotAuthorizedException: Nobody is known and anonymous requests are refused.
        """
        found = self._provider(connection)
        actor = await found if inspect.isawaitable(found) else found
        if actor is None:
            actor = self._anonymous
        if actor is None:
            raise NotAuthorizedException(detail="Say who you are: this resource is only for authenticated requests.")
        connection.state[_STATE_KEY] = actor


def provide_actor(request: Request[Any, Any, Any]) -> Actor:
    """The actor that `ActorGuard` found."""
    actor: Actor = request.state[_STATE_KEY]
    return actor


def _read(user: Any, name: str) -> Any:
    if isinstance(user, Mapping):
        return user.get(name, _MISSING)
    return getattr(user, name, _MISSING)


def _names(value: Any) -> frozenset[str]:
    if value is _MISSING or value is None:
        return frozenset()
    return frozenset({value}) if isinstance(value, str) else frozenset(map(str, value))
