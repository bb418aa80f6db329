"""The workflows that this process has code for, by name and version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packaging.version import Version

from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.workflow import definition_of
from workflows_core.domain.validation.findings import did_you_mean
from workflows_core.errors import DefinitionConflictError, DefinitionError, DefinitionNotFoundError

__all__ = ["StepNotFoundError", "WorkflowRegistry"]


class StepNotFoundError(DefinitionError):
    """Raised when a workflow is asked for a step that it does not have; `known` are the steps that it has."""

    def __init__(self, workflow: str, step: str, known: Sequence[str] = ()) -> None:
        super().__init__(workflow, step, known)
        self.workflow = workflow
        self.step = step
        self.known = tuple(known)

    def __str__(self) -> str:
        mend = did_you_mean(self.step, self.known, f"it has {', '.join(self.known)}")
        return f"workflow {self.workflow} has no step {self.step!r}; {mend}"


class WorkflowRegistry:
    """Holds definitions. Register at start-up; look up from any thread."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, WorkflowDefinition]] = {}
        self._classes: dict[tuple[str, str], type[Any]] = {}

    def register(self, workflow: WorkflowDefinition | type[Any]) -> WorkflowDefinition:
        """Register a definition, a subclass of `Workflow` or a class with ``@workflow``.

        Registering the same content again changes nothing.

        Returns:
            The definition that is registered.

        Raises:
            DefinitionConflictError: The name and version are registered with other content.
            InvalidDefinitionError: The class describes a workflow that cannot run.
            TypeError: It is no workflow.
        """
        definition = definition_of(workflow)
        versions = self._versions.get(definition.name, {})
        known = versions.get(definition.version)
        if known is not None and known.graph.hash != definition.graph.hash:
            raise DefinitionConflictError(definition.name, definition.version)
        if known is None:
            known = definition
            # Newest first, so that the latest version is found without comparing.
            ordered = sorted([*versions.values(), definition], key=_order, reverse=True)
            self._versions[definition.name] = {each.version: each for each in ordered}
        if isinstance(workflow, type):
            self._classes.setdefault((definition.name, definition.version), workflow)
        return known

    def register_definition(self, definition: WorkflowDefinition) -> WorkflowDefinition:
        """Register a definition; as `register`."""
        return self.register(definition)

    def register_workflow_class(self, workflow: type[Any]) -> WorkflowDefinition:
        """Register a subclass of `Workflow` or a class with ``@workflow``; as `register`."""
        return self.register(workflow)

    def unregister(self, name: str, version: str | None = None) -> None:
        """Forget a version of a workflow; all versions if none is given. Instances of it wait until a process has its code.

        Raises:
            DefinitionNotFoundError: It is not registered.
        """
        gone = self.versions(name) if version is None else [self.get_definition(name, version).version]
        kept = {known: each for known, each in self._versions[name].items() if known not in gone}
        if kept:
            self._versions[name] = kept
        else:
            del self._versions[name]
        for known in gone:
            self._classes.pop((name, known), None)

    def get_definition(self, name: str, version: str | None = None) -> WorkflowDefinition:
        """A definition; the latest version if none is given.

        Raises:
            DefinitionNotFoundError: There is none of that name or version; names those that are near.
        """
        versions = self._versions.get(name)
        if versions is None:
            raise DefinitionNotFoundError(name, None, tuple(self._versions))
        if version is None:
            return next(iter(versions.values()))
        try:
            return versions[version]
        except KeyError:
            raise DefinitionNotFoundError(name, version, tuple(reversed(versions))) from None

    def has_definition(self, name: str, version: str | None = None) -> bool:
        """Whether a workflow is registered, in that version if one is given."""
        versions = self._versions.get(name)
        return versions is not None and (version is None or version in versions)

    def get_workflow_class(self, name: str, version: str | None = None) -> type[Any] | None:
        """The class that a workflow was registered as, of the latest version if none is given; None if it was no class.

        Raises:
            DefinitionNotFoundError: There is no such workflow.
        """
        return self._classes.get((name, self.get_definition(name, version).version))

    def get_step(self, name: str, step: str, version: str | None = None) -> Any:
        """The step object of a workflow, also of a step inside a group.

        Raises:
            DefinitionNotFoundError: There is no such workflow.
            StepNotFoundError: It has no such step.
        """
        definition = self.get_definition(name, version)
        code = definition.code.get(step)
        if code is None:
            raise StepNotFoundError(f"{name} {definition.version}", step, tuple(definition.code))
        return code.step

    def versions(self, name: str) -> list[str]:
        """The registered versions of a workflow, the latest first.

        Raises:
            DefinitionNotFoundError: It is not registered.
        """
        self.get_definition(name)
        return list(self._versions[name])

    def list_definitions(self, *, active_only: bool = True) -> list[WorkflowDefinition]:
        """The latest version of each workflow, in the order of registration; with ``active_only=False`` all versions."""
        return [
            definition
            for versions in self._versions.values()
            for place, definition in enumerate(versions.values())
            if place == 0 or not active_only
        ]


def _order(definition: WorkflowDefinition) -> Version:
    return Version(definition.version)
