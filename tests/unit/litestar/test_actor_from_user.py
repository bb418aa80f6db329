"""The default actor provider reads whatever the application calls a user."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException
from litestar.testing import RequestFactory

from workflows_core import Actor
from workflows_litestar import actor_from_user


def _connection(user: Any) -> ASGIConnection[Any, Any, Any, Any]:
    request = RequestFactory().get("/")
    request.scope["user"] = user
    return request


@dataclass
class Account:
    id: UUID
    roles: tuple[str, ...]


@pytest.mark.parametrize(
    ("user", "actor"),
    [
        ({"id": "alice"}, Actor("alice")),
        ({"id": 7, "groups": ["a", "b"], "tenant_id": 3}, Actor("7", groups=frozenset("ab"), tenant="3")),
        (SimpleNamespace(id="alice", groups=None, roles={"admin"}), Actor("alice", roles=frozenset({"admin"}))),
        (Account(UUID(int=1), ("x",)), Actor(str(UUID(int=1)), roles=frozenset({"x"}))),
        ({"id": "alice", "groups": "managers"}, Actor("alice", groups=frozenset({"managers"}))),
        ({"id": "alice", "tenant_id": None}, Actor("alice")),
        ({"id": None}, None),
        ({"id": ""}, None),
        (None, None),
    ],
)
def test_a_user_becomes_an_actor(user: Any, actor: Actor | None) -> None:
    assert actor_from_user(_connection(user)) == actor


def test_an_application_without_authentication_has_no_actor() -> None:
    request = RequestFactory().get("/")
    assert request.scope.get("user") is None
    assert actor_from_user(request) is None


@pytest.mark.parametrize("user", ["alice", {"name": "alice"}, object()])
def test_a_user_without_an_id_is_refused_with_the_way_out(user: Any) -> None:
    with pytest.raises(ImproperlyConfiguredException, match="actor_provider"):
        actor_from_user(_connection(user))
