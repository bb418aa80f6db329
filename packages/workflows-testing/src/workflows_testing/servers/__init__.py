"""Real PostgreSQL and Redis-protocol servers for tests: found, started, restarted, and gone when the tests are.

`postgres` and `redis` are context managers that yield a `PostgresServer` or `RedisServer`. The pytest plugin offers them as fixtures.
Databases made from a prepared template are in `workflows_testing.servers.databases`, which needs psycopg (extra ``servers``).
"""

from __future__ import annotations

from workflows_testing.servers.errors import (
    InvalidSourceError,
    ServerError,
    ServerNotOwnedError,
    ServerStartError,
    ServiceUnavailableError,
)
from workflows_testing.servers.postgres_server import PostgresServer, postgres
from workflows_testing.servers.process import StopMode
from workflows_testing.servers.redis_server import RedisServer, redis
from workflows_testing.servers.server import Server

__all__ = [
    "InvalidSourceError",
    "PostgresServer",
    "RedisServer",
    "Server",
    "ServerError",
    "ServerNotOwnedError",
    "ServerStartError",
    "ServiceUnavailableError",
    "StopMode",
    "postgres",
    "redis",
]
