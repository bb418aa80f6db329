"""Errors survive pickling, carry what a reader needs, and all stand in the drawing."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

import workflows_core
from workflows_core import errors
from workflows_core.domain.forms import FieldProblem
from workflows_core.domain.problems import Problem

SAMPLES: dict[str, Any] = {
    "UUID": UUID(int=7),
    "UUID | str": UUID(int=7),
    "UUID | None": UUID(int=7),
    "str": "text",
    "str | None": "text",
    "int": 3,
    "float": 2.5,
    "datetime | None": datetime(2026, 1, 2, tzinfo=UTC),
    "Sequence[str]": ("a", "b"),
    "Sequence[UUID]": (UUID(int=1), UUID(int=2)),
    "Sequence[object]": (Problem("code", "step 'a'", "is odd", "mend it"),),
    "Sequence[Any]": (FieldProblem("/amount", "must be a number", "type"),),
    "Mapping[str, Any]": {"amount": 3},
    "Mapping[str, Any] | None": {"amount": 3},
}


def all_errors() -> list[type[errors.WorkflowsError]]:
    for module in pkgutil.walk_packages(workflows_core.__path__, "workflows_core."):
        importlib.import_module(module.name)
    found: list[type[errors.WorkflowsError]] = []
    pending: list[type[errors.WorkflowsError]] = [errors.WorkflowsError]
    while pending:
        error = pending.pop()
        found.append(error)
        pending.extend(error.__subclasses__())
    return sorted((error for error in found if error.__module__.startswith("workflows_core")), key=lambda e: e.__name__)


def sample(error: type[errors.WorkflowsError]) -> errors.WorkflowsError:
    if "__init__" not in vars(error) and error.__init__ is Exception.__init__:
        return error("why")
    signature = inspect.signature(error.__init__)
    arguments = []
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            arguments.append("why")
        elif parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert parameter.kind is not inspect.Parameter.KEYWORD_ONLY, f"{error.__name__} cannot be unpickled"
            arguments.append(SAMPLES.get(str(parameter.annotation), "text"))
    return error(*arguments)


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_an_error_survives_pickling_and_reads_the_same(error: type[errors.WorkflowsError]) -> None:
    raised = sample(error)

    restored = pickle.loads(pickle.dumps(raised))

    assert type(restored) is error
    assert str(restored) == str(raised)
    assert str(raised).strip()


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_an_error_says_in_its_docstring_when_it_is_raised(error: type[errors.WorkflowsError]) -> None:
    assert inspect.getdoc(error)
    assert inspect.getdoc(error) != inspect.getdoc(Exception)


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"WorkflowNotFoundError"}))
def test_an_error_stands_in_the_drawing(name: str) -> None:
    assert name in (errors.__doc__ or "")
