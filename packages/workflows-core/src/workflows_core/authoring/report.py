"""What is found to be wrong while a definition is compiled: all of it, not only the first."""

from __future__ import annotations

from typing import Any

from workflows_core.authoring.code import AuthorFunction, overridden
from workflows_core.authoring.parameters import further_parameters, is_marked
from workflows_core.domain.problems import Problem

__all__ = ["Report"]


class Report:
    """Collects problems, in the words of `workflows_core.domain.validation`.

    Attributes:
        problems: In the order in which they were found.
    """

    __slots__ = ("_workflow", "problems")

    def __init__(self, workflow: str) -> None:
        self._workflow = workflow
        self.problems: list[Problem] = []

    def about_workflow(self, code: str, message: str, mend: str) -> None:
        """Add an error of the workflow as a whole."""
        self.problems.append(Problem(code, f"workflow {self._workflow!r}", message, mend))

    def about_step(self, name: str, code: str, message: str, mend: str) -> None:
        """Add an error of a step."""
        self.problems.append(Problem(code, f"step {name!r}", message, mend))

    def about_edge(self, source: object, target: object, code: str, message: str, mend: str) -> None:
        """Add an error of an edge; its ends as the author wrote them, or as they are called in the graph."""
        self.problems.append(Problem(code, f"edge {_shown(source)} → {_shown(target)}", message, mend))

    def refuse_hooks(self, name: str, step: Any, kind: str, *hooks: str) -> None:
        """Refuse methods that the author wrote and that nobody would ever call for this kind of step."""
        for hook in hooks:
            if overridden(step, hook) is not None:
                mend = "move its code to a machine step before or after this one"
                self.about_step(name, "hook_never_called", f"{hook} of a {kind} is never called", mend)

    def refuse_unmarked(self, where: str, written: AuthorFunction) -> None:
        """Refuse parameters of a function that nobody would ever give a value to."""
        for parameter in further_parameters(written.function, written.given):
            if not parameter.is_required or is_marked(parameter.annotation):
                continue
            message = f"nothing gives {written.name} its parameter {parameter.name!r}"
            mend = (
                "annotate it with Injected[…], or as your injector wants it, to have it provided; or give it a default"
            )
            if parameter.unreadable:
                message += f", whose annotation cannot be evaluated ({parameter.unreadable})"
                mend = (
                    "define the names of the annotation in the module of the function, and not only for type checkers"
                )
            self.problems.append(Problem("unmarked_parameter", where, message, mend))


def _shown(end: object) -> str:
    return repr(end) if isinstance(end, str) else str(getattr(end, "__qualname__", end))
