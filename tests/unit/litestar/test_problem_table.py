"""Every error of the engine is shown as something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workflows_core import errors
from workflows_litestar.problems import PROBLEM_PREFIX, PROBLEMS, kind_of
from workflows_litestar.problems.kinds import HTTP_PROBLEMS


def _subclasses(error: type[errors.WorkflowsError]) -> Iterator[type[errors.WorkflowsError]]:
    yield error
    for child in error.__subclasses__():
        yield from _subclasses(child)


def _is_request_error(error: type[errors.WorkflowsError]) -> bool:
    families = (errors.ValidationError, errors.NotFoundError, errors.StateError, errors.InfrastructureError)
    return issubclass(error, families) and error.__module__.startswith("workflows_core.errors")


@pytest.mark.parametrize("error", sorted(set(_subclasses(errors.WorkflowsError)), key=str))
def test_every_error_has_a_kind(error: type[errors.WorkflowsError]) -> None:
    kind = kind_of(error)
    assert 400 <= kind.status < 600
    assert kind.title
    assert kind.type == PROBLEM_PREFIX + kind.slug


def test_no_error_that_a_request_can_cause_is_shown_as_a_failure_of_the_server() -> None:
    shown = {error: kind_of(error).status for error in _subclasses(errors.WorkflowsError) if _is_request_error(error)}
    unexpected = {error for error, status in shown.items() if status == 500}
    assert unexpected == {errors.ItemsNotLoadedError}


def test_a_slug_stands_for_one_status() -> None:
    kinds = [*PROBLEMS.values(), *HTTP_PROBLEMS.values()]
    assert len({kind.slug: kind.status for kind in kinds}) == len({(kind.slug, kind.status) for kind in kinds})
