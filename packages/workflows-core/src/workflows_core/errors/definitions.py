"""Errors about definitions: the program is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from workflows_core.errors.root import WorkflowsError

__all__ = [
    "DefinitionConflictError",
    "DefinitionError",
    "DefinitionNotFoundError",
    "ExpressionError",
    "InvalidDefinitionError",
    "NotProvidedError",
    "WorkflowNotFoundError",
]


class DefinitionError(WorkflowsError):
    """A workflow definition, or the request for one, is wrong."""


class InvalidDefinitionError(DefinitionError):
    """Raised when a definition is built; `problems` lists everything that is wrong with it, not only the first."""

    def __init__(self, workflow: str, problems: Sequence[object]) -> None:
        super().__init__(workflow, problems)
        self.workflow = workflow
        self.problems = tuple(problems)

    def __str__(self) -> str:
        count = len(self.problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"workflow {self.workflow!r} has {count} problem{'s' if count != 1 else ''}:\n{lines}"


class ExpressionError(DefinitionError):
    """Raised when a condition is compiled; `position` is the 0-based column of the fault."""

    def __init__(self, source: str, position: int, reason: str) -> None:
        super().__init__(source, position, reason)
        self.source = source
        self.position = position
        self.reason = reason

    def __str__(self) -> str:
        first = max(0, self.position - 100)
        shown = self.source[first : first + 200]
        return f"{self.reason} (column {self.position + 1})\n  {shown}\n  {' ' * (self.position - first)}^"


class DefinitionNotFoundError(DefinitionError):
    """Raised when a workflow is asked for by a name or version that is not known; `known` are the names or versions that are."""

    def __init__(self, name: str, version: str | None = None, known: Sequence[str] = ()) -> None:
        super().__init__(name, version, known)
        self.name = name
        self.version = version
        self.known = tuple(known)

    @property
    def near(self) -> list[str]:
        """Known names (or versions) that resemble the one asked for; all known versions if few."""
        if self.version is not None:
            return list(self.known[-5:])
        return difflib.get_close_matches(self.name, self.known, n=3, cutoff=0.5)

    def __str__(self) -> str:
        what = f"workflow {self.name!r}" + (
            f" has no version {self.version!r}" if self.version else " is not registered"
        )
        return f"{what}; did you mean {', '.join(self.near)}?" if self.near else f"{what}; register it first"


WorkflowNotFoundError = DefinitionNotFoundError


class DefinitionConflictError(DefinitionError):
    """Raised when a name and version are registered a second time with other content."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(name, version)
        self.name = name
        self.version = version

    def __str__(self) -> str:
        return (
            f"workflow {self.name!r} version {self.version!r} is already registered with other content; "
            "give the changed definition a new version"
        )


class NotProvidedError(DefinitionError):
    """Raised by an injector that cannot provide what the code of a step wants; fields: what that is, and how to mend it."""

    def __init__(self, wanted: str, mend: str) -> None:
        super().__init__(wanted, mend)
        self.wanted = wanted
        self.mend = mend

    def __str__(self) -> str:
        return f"nothing provides {self.wanted}; {self.mend}"
