"""What a request body must be before anybody looks into it."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException, HTTPException, SerializationException
from litestar.handlers import BaseRouteHandler

__all__ = ["require_json"]


async def require_json(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: a body is declared as JSON, and is JSON. It is parsed here, once; the handler gets what was parsed.

    A browser sends other bodies to other sites without asking them first (forms, ``text/plain``), with the user's cookies; one that
    is declared as JSON it does not.

    Raises:
        HTTPException: 415, it is declared as something else, or not at all.
        ClientException: 400, it is no JSON.
    """
    if not isinstance(connection, Request) or connection.method not in {"POST", "PUT", "PATCH"}:
        return
    media_type = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _is_json(media_type):
        shown = f"declared as {media_type}" if media_type else "not declared as anything"
        raise HTTPException(status_code=415, detail=f"Send the body as application/json; this one is {shown}.")
    try:
        await connection.json()
    except SerializationException as error:
        raise ClientException(detail=str(error)) from error
    except UnicodeDecodeError as error:
        raise ClientException(detail=f"The body is not UTF-8: {error.reason} at byte {error.start}.") from error
    except RecursionError as error:
        raise ClientException(detail="The body is nested too deeply.") from error


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
