"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import msgspec

from workflows_core.cli.engines import EngineFactory
from workflows_core.domain.actor import Actor

__all__ = [
    "as_actor",
    "as_json",
    "data_changes",
    "engine_factory",
    "json_document",
    "json_value",
    "moment",
    "tenant_option",
    "user_option",
]

F = TypeVar("F", bound=Callable[..., Any])


def engine_factory(context: click.Context) -> EngineFactory:
    """The engine of the command.

    Raises:
        click.UsageError: Nobody said which.
    """
    if context.obj is None:
        msg = "which engine? give --engine MODULE:NAME before the command, or set WORKFLOWS_ENGINE"
        raise click.UsageError(msg)
    return cast("EngineFactory", context.obj)


def as_json(command: F) -> F:
    """Option ``--json``."""
    return click.option("--json", "json_output", is_flag=True, help="Print JSON instead of a table.")(command)


def tenant_option(command: F) -> F:
    """Option ``--tenant``."""
    return click.option("--tenant", default="", help="Tenant to act for; empty is “no tenant”.")(command)


def user_option(command: F) -> F:
    """Option ``--user``."""
    return click.option("--user", required=True, help="User in whose name it is done, for the audit trail.")(command)


def data_changes(command: F) -> F:
    """Options ``--data`` and ``--delete``: what changes in the data of an instance before it goes on."""
    changed = click.option(
        "--data",
        multiple=True,
        callback=_assignments,
        metavar="KEY=JSON",
        help="Data key to be set first; what is no JSON is taken as text.",
    )
    deleted = click.option("--delete", multiple=True, metavar="KEY", help="Data key to be removed first.")
    return changed(deleted(command))


def as_actor(user: str, tenant: str, groups: tuple[str, ...] = ()) -> Actor:
    """The actor of a command."""
    return Actor(user, frozenset(groups), tenant=tenant)


def json_value(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    """Read JSON from an option: the text itself, or ``@file``; None if it was not given.

    Raises:
        click.BadParameter: It is no JSON, or the file cannot be read.
    """
    if value is None:
        return None
    try:
        text = Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value
        return msgspec.json.decode(text)
    except (OSError, msgspec.DecodeError) as error:
        msg = f"not a JSON document: {error}"
        raise click.BadParameter(msg) from error


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Read a moment from an option; None if it was not given.

    Raises:
        click.BadParameter: It is no moment, or has no offset from UTC.
    """
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        msg = f"not a moment: {error}"
        raise click.BadParameter(msg) from error
    if found.utcoffset() is None:
        msg = "no offset from UTC; write it as 2030-01-31T09:00:00+01:00"
        raise click.BadParameter(msg)
    return found


def json_document(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any]:
    """Read a JSON object from an option: the text itself, or ``@file``.

    Raises:
        click.BadParameter: It is no JSON object, or the file cannot be read.
    """
    if value is None:
        return {}
    document = json_value(context, parameter, value)
    if not isinstance(document, dict):
        msg = f"must be a JSON object, not {type(document).__name__}"
        raise click.BadParameter(msg)
    return document


def _assignments(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Read ``key=json`` options.

    Raises:
        click.BadParameter: One has no ``=``.
    """
    found: dict[str, Any] = {}
    for value in values:
        key, separator, text = value.partition("=")
        if not separator or not key:
            msg = f"{value!r} must look like key=value"
            raise click.BadParameter(msg)
        try:
            found[key] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found[key] = text
    return found
