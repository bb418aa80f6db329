"""Step types by name, so that workflows can be written as data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import partial
from typing import Any, TypeVar, get_type_hints

import msgspec

from workflows_core.authoring.code import overridden
from workflows_core.authoring.functions import first_line
from workflows_core.authoring.parameters import further_parameters, is_marked
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.domain.forms import schema_for, validate_form
from workflows_core.domain.types import StepType
from workflows_core.domain.validation.findings import did_you_mean
from workflows_core.errors import DefinitionError

__all__ = ["CatalogueError", "CatalogueStep", "StepCatalogue", "StepKind"]

S = TypeVar("S", bound=Callable[..., Any])
_HOOKS = ("execute", "can_execute", "on_success", "on_failure")


class CatalogueError(DefinitionError):
    """Raised when a step type cannot be used; fields: its name, what is wrong, and how to mend it."""

    def __init__(self, kind: str, reason: str, mend: str) -> None:
        super().__init__(kind, reason, mend)
        self.kind = kind
        self.reason = reason
        self.mend = mend

    def __str__(self) -> str:
        return f"step type {self.kind!r}: {self.reason}; {self.mend}"


@dataclass(frozen=True, slots=True)
class StepKind:
    """A step type of a catalogue.

    Attributes:
        name: Its name in documents.
        make: Makes the step of its configuration.
        config_schema: JSON Schema of the configuration.
        description: For people.
    """

    name: str
    make: Callable[[Mapping[str, Any]], Any]
    config_schema: Mapping[str, Any]
    description: str = ""


class CatalogueStep(BaseMachineStep):
    """A machine step of a catalogue; `StepCatalogue.create` makes it.

    Attributes:
        catalogue: Name of its type.
        config: Its configuration, as JSON has it.
        step: The step that was made of both.
    """

    def __init__(self, catalogue: str, config: Mapping[str, Any], step: Any, **attributes: Any) -> None:
        """Wrap a step; ``attributes`` are those of `StepAttributes`."""
        self._derive_name(catalogue)
        super().__init__(**attributes)
        self.transactional = self.transactional or bool(getattr(step, "transactional", False))
        self.catalogue = catalogue
        self.config = dict(config)
        self.step = step
        for hook in _HOOKS:
            method = overridden(step, hook)
            if method is not None:
                setattr(self, hook, method)


class StepCatalogue:
    """The step types that workflows written as data may use, beside the kinds that every workflow has."""

    def __init__(self) -> None:
        self._kinds: dict[str, StepKind] = {}

    def step(
        self, name: str, *, config: type | Mapping[str, Any] | None = None, description: str | None = None
    ) -> Callable[[S], S]:
        """Register the decorated class or function as a step type; see `register`."""

        def decorate(source: S) -> S:
            self.register(name, source, config=config, description=description)
            return source

        return decorate

    def register(
        self,
        name: str,
        source: Callable[..., Any],
        *,
        config: type | Mapping[str, Any] | None = None,
        description: str | None = None,
    ) -> StepKind:
        """Register a step type.

        Args:
            name: Its name in documents.
            source: A class of machine steps, or a function that is called with the context.
            config: A msgspec Struct or dataclass: its instance is then given to the constructor, or to the function after the
                context. Or a JSON Schema: its properties are then given as keyword arguments. None reads the parameters of the
                constructor, or of the function after the context.
            description: For people; by default the first line of the docstring.

        Raises:
            CatalogueError: The name is taken, the type makes no machine steps, or its configuration cannot be described.
        """
        if name in self._kinds:
            raise CatalogueError(name, "it is already registered", "give it another name")
        if getattr(source, "step_type", StepType.MACHINE) is not StepType.MACHINE:
            raise CatalogueError(name, "it makes no machine steps", "write such steps in the document itself")
        build, schema = _builder(name, source, config)
        kind = StepKind(name, build, schema, first_line(source) if description is None else description)
        self._kinds[name] = kind
        return kind

    def create(self, catalogue: str, config: Any = None, **attributes: Any) -> CatalogueStep:
        """Make a step of a registered type; it may also be used in workflows that are written in code.

        Args:
            catalogue: Name of the type.
            config: Its configuration, as a mapping or an instance of the registered type.
            **attributes: Those of `StepAttributes`, and ``transactional``; the name of the type is the name of the step if it gets no other.

        Raises:
            CatalogueError: There is no such type, or the configuration does not fit it.
        """
        kind = self.get(catalogue)
        plain = msgspec.to_builtins({} if config is None else config)
        problems = validate_form(kind.config_schema, plain)
        if problems:
            reason = "; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems)
            raise CatalogueError(catalogue, f"its configuration is wrong: {reason}", "correct the configuration")
        return CatalogueStep(catalogue, plain, kind.make(plain), **attributes)

    def get(self, name: str) -> StepKind:
        """A registered type.

        Raises:
            CatalogueError: There is no such type.
        """
        kind = self._kinds.get(name)
        if kind is None:
            mend = did_you_mean(name, self._kinds, "register it, or use another")
            raise CatalogueError(name, "it is not in the catalogue", mend)
        return kind

    def __contains__(self, name: object) -> bool:
        return name in self._kinds

    def kinds(self) -> list[StepKind]:
        """All registered types, in the order of registration."""
        return list(self._kinds.values())


def _builder(
    name: str, source: Callable[..., Any], config: Any
) -> tuple[Callable[[Mapping[str, Any]], Any], dict[str, Any]]:
    """What makes a step of a configuration, and the schema of the configuration."""
    make: Callable[..., Any] = source if isinstance(source, type) else partial(_function_step, source)
    if isinstance(config, Mapping):
        return lambda plain: make(**plain), {"type": "object", **config}
    if config is None:
        parameters = _parameters_of(name, source)
        return lambda plain: make(**msgspec.structs.asdict(msgspec.convert(plain, parameters))), _schema(
            name, parameters
        )
    if not isinstance(config, type) or not (issubclass(config, msgspec.Struct) or is_dataclass(config)):
        raise CatalogueError(name, f"config is {config!r}", "give a msgspec Struct, a dataclass or a JSON Schema")
    parameter = next(iter(_named_parameters(source)), None)
    if parameter is None:
        raise CatalogueError(name, "it takes no parameter for its configuration", "add one, or leave `config` out")
    return lambda plain: make(**{parameter.name: msgspec.convert(plain, config)}), _schema(name, config)


def _schema(name: str, config: type) -> dict[str, Any]:
    try:
        return {**schema_for(config), "additionalProperties": False}
    except TypeError as error:
        raise CatalogueError(name, str(error), "annotate it with types that JSON has, or give `config`") from error


def _parameters_of(name: str, source: Callable[..., Any]) -> type[msgspec.Struct]:
    """A Struct with the parameters of a constructor, or of a function after the context."""
    try:
        hints = get_type_hints(_called(source))
        fields = [
            (each.name, hints.get(each.name, Any), *([] if each.default is each.empty else [each.default]))
            for each in _named_parameters(source)
        ]
        return msgspec.defstruct(name, fields, kw_only=True)
    except (NameError, TypeError, ValueError) as error:
        reason = f"its parameters cannot be read: {error}"
        raise CatalogueError(name, reason, "give `config`, a type or a JSON Schema") from error


def _named_parameters(source: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters after the first, which is ``self`` or the context, but for those that an injector provides."""
    called = _called(source)
    parameters = list(inspect.signature(called).parameters.values())[1:]
    injected = {each.name for each in further_parameters(called, 1) if is_marked(each.annotation)}
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each for each in parameters if each.kind not in kinds and each.name not in injected]


def _called(source: Callable[..., Any]) -> Any:
    return inspect.getattr_static(source, "__init__") if isinstance(source, type) else source


def _function_step(function: Callable[..., Any], **config: Any) -> BaseMachineStep:
    """A step that calls a function with the context and its configuration."""
    step = BaseMachineStep()
    step.execute = partial(function, **config)  # type: ignore[method-assign]
    return step
