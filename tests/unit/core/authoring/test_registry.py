"""The registry of workflows."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.decorators import step, workflow
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.groups import SequentialGroup
from workflows_core.authoring.registry import StepNotFoundError, WorkflowRegistry
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.authoring.workflow import Workflow
from workflows_core.errors import DefinitionConflictError, DefinitionNotFoundError, InvalidDefinitionError


class Work(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Approval(Workflow):
    work = Work()


@workflow(version="2.0.0")
class Review:
    @step
    async def look(self, context: WorkflowContext) -> None: ...


def definition(name: str = "approval", version: str = "1.0.0", **arguments: Any) -> WorkflowDefinition:
    return WorkflowDefinition(name, version, steps=[Work()], **arguments)


def test_definitions_and_classes_of_both_kinds_are_registered() -> None:
    registry = WorkflowRegistry()
    written = definition("written")
    assert registry.register(Approval) is Approval.get_definition()
    assert registry.register_workflow_class(Review).name == "review"
    assert registry.register_definition(written) is written
    assert registry.get_workflow_class("approval") is Approval
    assert registry.get_workflow_class("review", "2.0.0") is Review
    assert registry.get_workflow_class("written") is None
    assert [each.name for each in registry.list_definitions()] == ["approval", "review", "written"]


def test_the_latest_version_is_the_latest_by_number() -> None:
    registry = WorkflowRegistry()
    for version in ("1.9.0", "1.10.0", "1.2", "2.0.0rc1"):
        registry.register(definition(version=version))
    assert registry.versions("approval") == ["2.0.0rc1", "1.10.0", "1.9.0", "1.2"]
    registry.unregister("approval", "2.0.0rc1")
    assert registry.get_definition("approval").version == "1.10.0"
    assert registry.get_definition("approval", "1.9.0").version == "1.9.0"
    assert [each.version for each in registry.list_definitions()] == ["1.10.0"]
    assert [each.version for each in registry.list_definitions(active_only=False)] == ["1.10.0", "1.9.0", "1.2"]


def test_the_same_content_may_be_registered_again() -> None:
    registry = WorkflowRegistry()
    first = registry.register(definition())
    assert registry.register(definition()) is first
    assert registry.versions("approval") == ["1.0.0"]


def test_other_content_under_the_same_version_is_a_conflict() -> None:
    registry = WorkflowRegistry()
    registry.register(definition())
    with pytest.raises(DefinitionConflictError, match="new version"):
        registry.register(definition(description="changed"))
    assert registry.get_definition("approval").description == ""


def test_what_is_not_registered_is_named_with_what_is_near() -> None:
    registry = WorkflowRegistry()
    registry.register(definition(version="1.9.0"))
    registry.register(definition(version="1.10.0"))
    with pytest.raises(DefinitionNotFoundError, match="did you mean approval"):
        registry.get_definition("approvall")
    with pytest.raises(DefinitionNotFoundError, match=r"no version '3'; did you mean 1.9.0, 1.10.0"):
        registry.get_definition("approval", "3")
    for ask in (registry.versions, registry.get_workflow_class, registry.unregister):
        with pytest.raises(DefinitionNotFoundError):
            ask("nothing")
    with pytest.raises(DefinitionNotFoundError):
        registry.unregister("approval", "3")


def test_has_definition_answers_without_raising() -> None:
    registry = WorkflowRegistry()
    registry.register(Approval)
    assert registry.has_definition("approval")
    assert registry.has_definition("approval", "1.0.0")
    assert not registry.has_definition("approval", "2.0.0")
    assert not registry.has_definition("other")


def test_a_workflow_can_be_forgotten_and_registered_anew() -> None:
    registry = WorkflowRegistry()
    registry.register(Approval)
    registry.unregister("approval")
    assert not registry.has_definition("approval")
    assert registry.list_definitions() == []
    registry.register(definition(description="changed"))
    assert registry.get_workflow_class("approval") is None


def test_steps_are_found_also_inside_groups() -> None:
    registry = WorkflowRegistry()
    inner = Work(name="inner")
    registry.register(WorkflowDefinition("grouped", steps=[SequentialGroup(inner, name="group")]))
    assert registry.get_step("grouped", "inner") is inner
    assert isinstance(registry.get_step("grouped", "group", "1.0.0"), SequentialGroup)
    with pytest.raises(StepNotFoundError, match="did you mean 'inner'"):
        registry.get_step("grouped", "iner")
    with pytest.raises(StepNotFoundError, match="it has group, inner"):
        registry.get_step("grouped", "zzz")


def test_a_broken_workflow_is_not_registered() -> None:
    class Broken(Workflow):
        work = Work(next="nowhere")

    registry = WorkflowRegistry()
    with pytest.raises(InvalidDefinitionError):
        registry.register(Broken)
    with pytest.raises(TypeError, match="is no workflow"):
        registry.register("broken")  # type: ignore[arg-type]
    assert registry.list_definitions() == []


def test_the_error_survives_pickling() -> None:
    error = StepNotFoundError("grouped 1.0.0", "iner", ("inner",))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
