"""Port: what the code of steps gets beside its context."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

__all__ = ["Provide", "StepInjector"]

Provide: TypeAlias = Callable[[Any], Awaitable[Any]]
"""Gives the value for the annotation of a parameter, inside of a scope."""


class StepInjector(Protocol):
    """Provides parameters that the authors of steps have marked: by ``Annotated``, with something that the injector knows."""

    @abstractmethod
    def provides(self, annotation: Any) -> bool:
        """Whether a parameter is to be provided. Called once for each parameter, when its workflow is loaded; answers without I/O.

        Args:
            annotation: Of the parameter, evaluated, with what ``Annotated`` adds.

        Returns:
            False if it is not marked for this injector.

        Raises:
            NotProvidedError: It is marked for this injector, which has nothing of that type, as far as that can be known.
        """

    @abstractmethod
    def open(self, given: Mapping[Any, Any]) -> AbstractAsyncContextManager[Provide]:
        """Begin a scope: that of one attempt at a step, in the event loop. Scopes may be open at the same time.

        Nothing is made before it is asked for. Asked again, also for the sake of another dependency, a scope gives the same value;
        another scope gives another one, unless the application wants it to outlive scopes. What raises while a value is made comes out
        of asking for it.

        When the block is left, the scope closes what it made, the last first and each once, and lets the closing know the error with
        which the block is left, if it is. It never swallows that error. One that cannot be closed does not keep the others from it;
        its error comes out of the block.

        Args:
            given: Values by type that dependencies may use too: the `WorkflowContext` of the attempt.
        """
