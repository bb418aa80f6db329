"""Settings, read once from the environment.

=============================  ==========================================================================================
``WORKFLOWS_DATABASE_URL``     SQLAlchemy URL of a SQLite file or a PostgreSQL database; default: ``demo.db`` in the data
                               directory. A URL without a driver gets the one that is installed here.
``WORKFLOWS_DATA_DIR``         Where receipts, published documents and the secret are kept; default ``./.workflows-demo``
``WORKFLOWS_HOST``             Address to listen on; default 127.0.0.1
``WORKFLOWS_PORT``             Port to listen on; default 8000, and 0 takes a free one
``WORKFLOWS_PUBLIC_URL``       Address under which browsers and other systems reach the server; default: host and port
``WORKFLOWS_SECRET``           Signs sessions and webhook addresses; default: made once and kept in the data directory
``WORKFLOWS_EXECUTOR``         How ready work reaches a worker: ``local`` (the default: one runs in the server's process), ``postgres``,
                               ``saq``, ``celery`` or ``arq`` (they run in processes of their own)
``WORKFLOWS_REDIS_URL``        Redis or Valkey, for ``saq``, ``celery`` and ``arq``; default ``redis://127.0.0.1:6379/0``
``WORKFLOWS_BROKER_URL``       Celery's broker, if it is another one
``WORKFLOWS_WORKER``           With ``local``: whether the server also runs the steps: 1 (the default) or 0
``WORKFLOWS_CONCURRENCY``      Most steps at once in a worker's process; default 32
``WORKFLOWS_LEASE_SECONDS``    Seconds after which the work of a dead worker is taken over; default 15
``WORKFLOWS_POLL_SECONDS``     Most seconds between two looks for work; default 1
``WORKFLOWS_MODULES``          Python modules with further workflows, separated by commas; each has a list ``WORKFLOWS``
=============================  ==========================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["EXECUTORS", "InvalidSettingError", "Settings", "load_settings"]

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
EXECUTORS: Final = ("local", "postgres", "saq", "celery", "arq")
"""What ``WORKFLOWS_EXECUTOR`` may be; the first is the default."""

_REDIS: Final = "redis://127.0.0.1:6379/0"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_LEAST_SECRET: Final = 16


class InvalidSettingError(Exception):
    """Raised when an environment variable has a value that cannot be used; says which and what it may be."""

    def __init__(self, variable: str, value: str, wanted: str) -> None:
        super().__init__(variable, value, wanted)
        self.variable = variable
        self.value = value
        self.wanted = wanted

    def __str__(self) -> str:
        return f"{self.variable} is {self.value!r}, but must be {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set about the demo."""

    data_dir: Path = Path(".workflows-demo")
    """Directory for files; made when it is first needed."""

    database_url: str = field(default="", repr=False)
    """SQLAlchemy URL with an async driver; empty is `database_path`."""

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: int = 8000
    """Port to listen on; 0 takes a free one."""

    public_url: str = ""
    """Where the server is reached from outside, without a slash at the end; empty is made of host and port."""

    secret: bytes = field(default=b"", repr=False)
    """Signs sessions and webhook addresses; empty is read from, or made in, the data directory."""

    executor: str = "local"
    """How ready work reaches a worker."""

    redis_url: str = field(default=_REDIS, repr=False)
    """Redis or Valkey, for the executors that need it."""

    broker_url: str = field(default="", repr=False)
    """Celery's broker; empty is `redis_url`."""

    run_worker: bool = True
    """Whether the server also runs the steps; only with the executor ``local``."""

    concurrency: int = 32
    """Most steps at once in a worker's process."""

    lease_s: float = 15.0
    """Seconds after which the work of a dead worker is taken over."""

    poll_s: float = 1.0
    """Most seconds between two looks for work."""

    modules: tuple[str, ...] = ()
    """Modules with further workflows."""

    @property
    def database_path(self) -> Path:
        """The SQLite file that is used where no other database is named."""
        return self.data_dir / "demo.db"

    @property
    def uses_own_file(self) -> bool:
        """Whether the database is the file in the data directory."""
        return not self.database_url

    @property
    def sqlalchemy_url(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.database_path.absolute()}"

    @property
    def shown_database(self) -> str:
        """The database for people to read: without a password."""
        return make_url(self.sqlalchemy_url).render_as_string(hide_password=True)

    @property
    def base_url(self) -> str:
        """Where the server is reached."""
        if self.public_url:
            return self.public_url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        environment: Variables; None takes those of the process.

    Raises:
        InvalidSettingError: A variable has a value that cannot be used.
    """
    read = _Reader(os.environ if environment is None else environment)
    executor, database_url = read.choice("WORKFLOWS_EXECUTOR", EXECUTORS), read.database_url("WORKFLOWS_DATABASE_URL")
    if executor == "postgres" and not database_url.startswith("postgresql"):
        wanted = "used with WORKFLOWS_DATABASE_URL=postgresql://…, which carries the hints"
        raise InvalidSettingError("WORKFLOWS_EXECUTOR", executor, wanted)
    return Settings(
        data_dir=Path(read.text("WORKFLOWS_DATA_DIR", ".workflows-demo")),
        database_url=database_url,
        host=read.text("WORKFLOWS_HOST", "127.0.0.1"),
        port=int(read.number("WORKFLOWS_PORT", 8000, least=0, most=65535, whole=True)),
        public_url=read.text("WORKFLOWS_PUBLIC_URL", "").rstrip("/"),
        secret=read.secret("WORKFLOWS_SECRET"),
        executor=executor,
        redis_url=read.text("WORKFLOWS_REDIS_URL", _REDIS),
        broker_url=read.text("WORKFLOWS_BROKER_URL", ""),
        run_worker=read.switch("WORKFLOWS_WORKER", default=True) and executor == "local",
        concurrency=int(read.number("WORKFLOWS_CONCURRENCY", 32, least=1, most=10_000, whole=True)),
        lease_s=read.number("WORKFLOWS_LEASE_SECONDS", 15.0, least=0.5, most=3600),
        poll_s=read.number("WORKFLOWS_POLL_SECONDS", 1.0, least=0.05, most=60),
        modules=tuple(name.strip() for name in read.text("WORKFLOWS_MODULES", "").split(",") if name.strip()),
    )


class _Reader:
    """Reads and checks single variables; one that is set to nothing counts as not set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name, "").strip() or default

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        if value not in choices:
            raise InvalidSettingError(name, value, f"one of: {', '.join(choices)}")
        return value

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.text(name, "1" if default else "0").lower()
        if value not in _TRUE | _FALSE:
            raise InvalidSettingError(name, value, "1 or 0")
        return value in _TRUE

    def number(self, name: str, default: float, *, least: float, most: float, whole: bool = False) -> float:
        text = self.text(name, str(default))
        try:
            value: float = int(text) if whole else float(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            kind = "a whole number" if whole else "a number"
            raise InvalidSettingError(name, text, f"{kind} from {least:g} to {most:g}")
        return value

    def secret(self, name: str) -> bytes:
        value = self.text(name, "").encode()
        if value and len(value) < _LEAST_SECRET:
            raise InvalidSettingError(name, "…", f"at least {_LEAST_SECRET} bytes of random text")
        return value

    def database_url(self, name: str) -> str:
        url = self.text(name, "")
        if not url:
            return ""
        scheme, separator, rest = url.partition("://")
        backend = scheme.partition("+")[0]
        if not separator or backend not in _DRIVERS:
            shown = f"{scheme}://…" if separator else "not a URL"
            raise InvalidSettingError(name, shown, "a URL that begins with sqlite:/// or postgresql://")
        complete = f"{_DRIVERS.get(scheme, scheme)}://{rest}"
        try:
            parsed = make_url(complete)
        except (ArgumentError, ValueError) as error:
            raise InvalidSettingError(name, f"{scheme}://…", "a URL that SQLAlchemy can read") from error
        if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
            raise InvalidSettingError(name, url, "a file, which several connections can share: sqlite:///path")
        return complete
