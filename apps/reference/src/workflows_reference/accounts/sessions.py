"""How a request says who makes it, and the routes for logging in and out."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from dishka.integrations.litestar import FromDishka, inject
from litestar import Controller, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from msgspec import Meta

from workflows_reference.accounts.directory import UserDirectory
from workflows_reference.accounts.people import User
from workflows_reference.accounts.tokens import SESSION_LENGTH, SessionTokens

__all__ = ["COOKIE", "DemoAuthentication", "SessionController", "UserDTO", "require_user"]

COOKIE: Final = "workflows_demo"
_BEARER: Final = "bearer "
_CACHED: Final = "max-age=0, no-store"


class DemoAuthentication(AbstractAuthenticationMiddleware):
    """Sets ``request.user`` from the header ``Authorization: Bearer …`` or from the session's cookie; None where neither is valid."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Find out who makes a request; nobody is refused here."""
        token = _token_of(connection)
        if not token:
            return AuthenticationResult(user=None, auth=None)
        container = connection.app.state.dishka_container
        user_id = (await container.get(SessionTokens)).read(token)
        user = None if user_id is None else await (await container.get(UserDirectory)).find(user_id)
        return AuthenticationResult(user=user, auth=token)


def require_user(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard of the demo's own routes.

    Raises:
        NotAuthorizedException: Nobody is logged in.
    """
    if connection.user is None:
        raise NotAuthorizedException(detail="Log in first: POST /login")


class LoginDTO(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name and password."""

    username: Annotated[str, Meta(max_length=64, examples=["alice"])]
    password: Annotated[str, Meta(max_length=200, examples=["demo"])]


class UserDTO(msgspec.Struct, frozen=True):
    """Somebody who is logged in."""

    id: str
    name: str
    job: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    tenant_id: str

    @classmethod
    def of(cls, user: User) -> UserDTO:
        """Show a user."""
        return cls(user.id, user.name, user.job, user.groups, user.roles, user.tenant_id)


class SessionDTO(msgspec.Struct, frozen=True):
    """A session: its token goes into the header ``Authorization: Bearer …``; browsers also get it as a cookie."""

    token: str
    expires_in_s: int
    user: UserDTO


class SessionController(Controller):
    """Logging in and out."""

    tags = ["Demo"]

    @post("/login", status_code=200, summary="Log in")
    @inject
    async def log_in(
        self, data: LoginDTO, directory: FromDishka[UserDirectory], tokens: FromDishka[SessionTokens]
    ) -> Response[SessionDTO]:
        """Give a token for a name and a password; everybody's password is ``demo``."""
        user = await directory.authenticate(data.username, data.password)
        if user is None:
            raise NotAuthorizedException(detail="There is nobody of that name and password.")
        token = tokens.issue(user.id)
        length_s = int(SESSION_LENGTH.total_seconds())
        # SameSite=Strict: no other site can make a browser act in this session.
        cookie = Cookie(key=COOKIE, value=token, httponly=True, samesite="strict", max_age=length_s)
        body = SessionDTO(token=token, expires_in_s=length_s, user=UserDTO.of(user))
        return Response(body, cookies=[cookie], headers={"cache-control": _CACHED})

    @post("/logout", status_code=204, summary="Log out")
    async def log_out(self) -> Response[None]:
        """Forget the session's cookie."""
        forgotten = Cookie(key=COOKIE, value="", httponly=True, samesite="strict", max_age=0)
        return Response(None, status_code=204, cookies=[forgotten])

    @get("/me", guards=[require_user], summary="Who am I?")
    async def who_am_i(self, request: Request[User, Any, Any]) -> UserDTO:
        """The one who makes this request."""
        return UserDTO.of(request.user)


def _token_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    header = connection.headers.get("authorization", "")
    if header.lower().startswith(_BEARER):
        return header[len(_BEARER) :].strip()
    return connection.cookies.get(COOKIE, "")
