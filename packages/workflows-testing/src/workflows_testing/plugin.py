"""pytest plugin of workflows, loaded through the entry point ``pytest11``: real servers and seeds as fixtures.

A server that cannot be had is a reason to skip on a laptop, and a failure where ``CI`` or ``WORKFLOWS_TEST_REQUIRE_SERVICES`` is set, so
that no run is green because half of it did not happen. Each test process, so each xdist worker, starts servers of its own, and
only when a test asks for one. `workflows_testing.servers.discovery` tells where they come from.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import uuid
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pytest

if TYPE_CHECKING:
    from workflows_testing.servers import PostgresServer, RedisServer
    from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase
    from workflows_testing.simulation.seeds import Seeds

    Prepare: TypeAlias = Callable[[PostgresDatabase], None]

pytest.register_assert_rewrite("workflows_testing.conformance")

_SEEDS_OPTION = "--simulation-seeds"
_SEEDS_VARIABLE = "WORKFLOWS_SIMULATION_SEEDS"
_SEEDS_DEFAULT = "15"
_START_AND_END_S = 120.0

ServerT = TypeVar("ServerT", "PostgresServer", "RedisServer")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says which seeds simulations try."""
    parser.getgroup("workflows").addoption(
        _SEEDS_OPTION,
        metavar="N|A:B",
        default=None,
        help=f"seeds for tests that simulate: N of them from 0, or A to before B (or {_SEEDS_VARIABLE}; else {_SEEDS_DEFAULT})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make known how the conformance kits mark rules that may take long."""
    config.addinivalue_line("markers", "patience(name): the attribute of the class that says for how long a rule waits")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let pytest-timeout, where it is used, wait longer than such a rule does, so that the rule can say what is missing.

    Before it waits it may have been busy for as long again, giving the workers what to do.
    """
    mark = item.get_closest_marker("patience")
    if mark is not None and isinstance(item, pytest.Function) and item.config.pluginmanager.hasplugin("timeout"):
        item.add_marker(pytest.mark.timeout(2 * getattr(item.instance, mark.args[0]) + _START_AND_END_S))


@pytest.fixture
def simulation_seeds(request: pytest.FixtureRequest) -> Seeds:
    """The seeds that a test is to try, as the option ``--simulation-seeds`` says; give them to `explore`."""
    from workflows_testing.simulation.seeds import Seeds

    given = request.config.getoption(_SEEDS_OPTION) or os.environ.get(_SEEDS_VARIABLE) or _SEEDS_DEFAULT
    try:
        return Seeds.parse(given, f"pytest {shlex.quote(request.node.nodeid)} {_SEEDS_OPTION}={{seeds}}")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header() -> str:
    """Say at the top of a run which servers its tests would meet."""
    from workflows_testing.servers.discovery import POSTGRES, REDIS
    from workflows_testing.servers.errors import InvalidSourceError, ServiceUnavailableError

    sources: list[str] = []
    for label, service in (("postgres", POSTGRES), ("redis", REDIS)):
        try:
            sources.append(f"{label}={service.find()}")
        except ServiceUnavailableError:
            sources.append(f"{label}=none")
        except InvalidSourceError as error:
            raise pytest.UsageError(str(error)) from error
    return f"workflows servers: {', '.join(sources)}"


@pytest.fixture(scope="session")
def postgres_service() -> Generator[PostgresServer]:
    """One PostgreSQL for the whole test process; a test that stops one takes ``postgres(own=True)`` instead."""
    from workflows_testing.servers import postgres

    with contextlib.ExitStack() as stack:
        yield _enter(stack, postgres())


@pytest.fixture(scope="session")
def redis_service() -> Generator[RedisServer]:
    """One Redis-protocol server for the whole test process; a test that stops one takes ``redis(own=True)`` instead."""
    from workflows_testing.servers import redis

    with contextlib.ExitStack() as stack:
        yield _enter(stack, redis())


@pytest.fixture(scope="session")
def prepare_postgres_template() -> Prepare:
    """Override to return the function that fills the template, usually by migrations; without it databases are empty.

    It runs once for each test process and each such function.
    """
    return _leave_empty


@pytest.fixture(scope="session")
def postgres_templates(postgres_service: PostgresServer) -> Generator[dict[Prepare, DatabaseTemplate]]:
    """The templates of this test process, by the function that filled them."""
    templates: dict[Prepare, DatabaseTemplate] = {}
    yield templates
    for template in templates.values():
        template.close()


@pytest.fixture(scope="module")
def postgres_database(
    postgres_service: PostgresServer,
    postgres_templates: dict[Prepare, DatabaseTemplate],
    prepare_postgres_template: Prepare,
) -> Generator[PostgresDatabase]:
    """A database for the tests of one module, copied from the prepared template and dropped after them."""
    from workflows_testing.servers.databases import DatabaseTemplate

    template = postgres_templates.get(prepare_postgres_template)
    if template is None:
        template = DatabaseTemplate(postgres_service, prepare_postgres_template)
        postgres_templates[prepare_postgres_template] = template
    with template.database() as database:
        yield database


@pytest.fixture(scope="session")
def redis_url(redis_service: RedisServer) -> str:
    """URL of a database that no other test process uses; what earlier runs left on a server from the environment stays in it."""
    return redis_service.url if redis_service.owned else redis_service.database_url(_worker_number())


@pytest.fixture
def redis_key_prefix() -> str:
    """A prefix for the keys of one test, never used before."""
    return f"workflows-test:{uuid.uuid4().hex}:"


def _enter(stack: contextlib.ExitStack, service: AbstractContextManager[ServerT]) -> ServerT:
    from workflows_testing.servers import ServiceUnavailableError

    try:
        return stack.enter_context(service)
    except ServiceUnavailableError as error:
        if _is_set("CI") or _is_set("WORKFLOWS_TEST_REQUIRE_SERVICES"):
            pytest.fail(
                f"{error} (where CI or WORKFLOWS_TEST_REQUIRE_SERVICES is set, no server is skipped)", pytrace=False
            )
        pytest.skip(str(error))


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() not in {"", "0", "false", "no"}


def _worker_number() -> int:
    """0 without xdist, else the number of this worker: ``gw3`` is 3."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _leave_empty(database: PostgresDatabase) -> None:
    """Prepare nothing."""
