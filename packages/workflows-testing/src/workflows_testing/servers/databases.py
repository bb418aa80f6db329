"""Databases for tests, copied from a template that is prepared once.

Migrating takes a second, copying a migrated database a fraction of it. So a `DatabaseTemplate` runs the migrations once in a session,
and each test module receives a copy of its own, which may be written to, committed to and left dirty.

It talks to the server through psycopg: its synchronous connections work in every fixture and test, whether an event loop runs or not,
and its binary wheel brings libpq along. asyncpg would tie the fixtures to an event loop, ``createdb`` is not in every installation.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from workflows_testing.servers.postgres_server import PostgresServer

NAME_PREFIX = "workflows_test_"


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A database of a server.

    Attributes:
        server: The server it is on.
        name: Its name, unique on that server over all test processes.
    """

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        """URL without a driver, as libpq, psycopg and asyncpg take it: ``postgresql://…``."""
        return self.server.database_url(self.name)

    def url_for(self, driver: str) -> str:
        """Return the URL as SQLAlchemy takes it: ``url_for("asyncpg")`` is ``postgresql+asyncpg://…``."""
        return self.url.replace("://", f"+{driver}://", 1)


class DatabaseTemplate:
    """A prepared database and the copies made of it.

    Args:
        server: The server to work on. Its user must be allowed to create databases.
        prepare: Brings the new, empty database into the state every test starts from, e.g. by running migrations. It is called at most once,
            when the first copy is asked for. Connections that it leaves open are cut.
    """

    def __init__(self, server: PostgresServer, prepare: Callable[[PostgresDatabase], None]) -> None:
        self._server = server
        self._prepare = prepare
        self._template: PostgresDatabase | None = None

    @contextlib.contextmanager
    def database(self) -> Generator[PostgresDatabase]:
        """Yield a new copy of the template; it is dropped at the end, whoever is still connected."""
        template = self._prepared()
        database = self._unused_database()
        with self._administration() as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(database.name), sql.Identifier(template.name)))
        try:
            yield database
        finally:
            self._drop(database)

    def close(self) -> None:
        """Drop the template; the copies stay. Another copy prepares it anew."""
        template, self._template = self._template, None
        if template is not None:
            self._drop(template)

    def _prepared(self) -> PostgresDatabase:
        if self._template is not None:
            return self._template
        template = self._unused_database()
        name = sql.Identifier(template.name)
        with self._administration() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            self._prepare(template)
            with self._administration() as connection:
                # A template with a connection cannot be copied: cut those that are left and refuse new ones.
                connection.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template.name]
                )
        except BaseException:
            self._drop(template)
            raise
        self._template = template
        return template

    def _unused_database(self) -> PostgresDatabase:
        return PostgresDatabase(self._server, f"{NAME_PREFIX}{uuid.uuid4().hex}")

    def _drop(self, database: PostgresDatabase) -> None:
        with self._administration() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)))

    def _administration(self) -> psycopg.Connection:
        """Connect anew each time: a kept connection would break when a test restarts the server."""
        return psycopg.connect(self._server.url, autocommit=True)
