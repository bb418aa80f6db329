"""What the environment says, and what it cannot say."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflows_reference.settings import InvalidSettingError, Settings, load_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load_settings({}) == Settings()
    assert load_settings({"WORKFLOWS_PORT": "", "WORKFLOWS_DATABASE_URL": " "}) == Settings()


def test_the_default_database_is_a_file_in_the_data_directory(tmp_path: Path) -> None:
    settings = load_settings({"WORKFLOWS_DATA_DIR": str(tmp_path)})
    assert settings.uses_own_file
    assert settings.sqlalchemy_url == f"sqlite+aiosqlite:///{tmp_path}/demo.db"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("sqlite:////tmp/a.db", "sqlite+aiosqlite:////tmp/a.db"),
        ("postgres://host/db", "postgresql+asyncpg://host/db"),
        ("postgresql://me:p%40ss@host:5433/db", "postgresql+asyncpg://me:p%40ss@host:5433/db"),
        ("postgresql+asyncpg://host/db", "postgresql+asyncpg://host/db"),
    ],
)
def test_a_url_without_a_driver_gets_one(url: str, wanted: str) -> None:
    assert load_settings({"WORKFLOWS_DATABASE_URL": url}).sqlalchemy_url == wanted


def test_passwords_are_not_shown() -> None:
    settings = load_settings({"WORKFLOWS_DATABASE_URL": "postgresql://me:hush@host/db", "WORKFLOWS_SECRET": "s" * 20})
    assert settings.shown_database == "postgresql+asyncpg://me:***@host/db"
    assert "hush" not in repr(settings)
    urls = {"WORKFLOWS_REDIS_URL": "redis://:hush@host/1", "WORKFLOWS_BROKER_URL": "amqp://me:hush@host"}
    assert "hush" not in repr(load_settings(urls))
    assert "ssss" not in repr(settings)


def test_the_base_url_follows_from_host_and_port_unless_it_is_given() -> None:
    assert load_settings({"WORKFLOWS_PORT": "81"}).base_url == "http://127.0.0.1:81"
    assert load_settings({"WORKFLOWS_HOST": "::1"}).base_url == "http://[::1]:8000"
    assert load_settings({"WORKFLOWS_PUBLIC_URL": "https://demo.test/"}).base_url == "https://demo.test"


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("WORKFLOWS_PORT", "eighty", "a whole number from 0 to 65535"),
        ("WORKFLOWS_PORT", "70000", "a whole number from 0 to 65535"),
        ("WORKFLOWS_LEASE_SECONDS", "0", "a number from 0.5 to 3600"),
        ("WORKFLOWS_LEASE_SECONDS", "nan", "a number from 0.5 to 3600"),
        ("WORKFLOWS_WORKER", "perhaps", "1 or 0"),
        ("WORKFLOWS_EXECUTOR", "pigeon", "one of: local, postgres, saq, celery, arq"),
        ("WORKFLOWS_EXECUTOR", "postgres", "WORKFLOWS_DATABASE_URL=postgresql://"),
        ("WORKFLOWS_CONCURRENCY", "0", "a whole number from 1 to 10000"),
        ("WORKFLOWS_SECRET", "short", "at least 16 bytes"),
        ("WORKFLOWS_DATABASE_URL", "mysql://host/db", "sqlite:/// or postgresql://"),
        ("WORKFLOWS_DATABASE_URL", "sqlite://", "a file"),
        ("WORKFLOWS_DATABASE_URL", "sqlite:///:memory:", "a file"),
        ("WORKFLOWS_DATABASE_URL", "demo.db", "sqlite:/// or postgresql://"),
        ("WORKFLOWS_DATABASE_URL", "postgresql://host:port/db", "a URL that SQLAlchemy can read"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_what_it_may_be(variable: str, value: str, wanted: str) -> None:
    with pytest.raises(InvalidSettingError) as raised:
        load_settings({variable: value})
    assert str(raised.value).startswith(f"{variable} is ")
    assert wanted in str(raised.value)


def test_only_the_local_executor_lets_the_server_run_steps() -> None:
    assert load_settings({}).run_worker
    assert not load_settings({"WORKFLOWS_WORKER": "0"}).run_worker
    assert not load_settings({"WORKFLOWS_EXECUTOR": "saq", "WORKFLOWS_WORKER": "1"}).run_worker


def test_secrets_never_stand_in_an_error() -> None:
    with pytest.raises(InvalidSettingError) as raised:
        load_settings({"WORKFLOWS_SECRET": "hush"})
    assert "hush" not in str(raised.value)
    with pytest.raises(InvalidSettingError) as raised:
        load_settings({"WORKFLOWS_DATABASE_URL": "oracle://me:hush@host/db"})
    assert "hush" not in str(raised.value)
