"""Steps that a person does: what is asked, of whom, until when, and what happens with the answer."""

# ruff: noqa: ARG002 - hooks are written to be overridden

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from workflows_core.authoring.code import (
    MaybeAwaitable,
    StepCode,
    ask,
    default_hook,
    is_coroutine_function,
    overridden,
)
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.report import Report
from workflows_core.authoring.schemas import read_schema
from workflows_core.authoring.step import BaseStep
from workflows_core.domain.commands import Assignment
from workflows_core.domain.graph import HumanNode
from workflows_core.domain.types import Outcome, StepType
from workflows_core.errors import StepExecutionError

__all__ = ["BaseHumanStep", "read_human"]


class BaseHumanStep(BaseStep):
    """Opens a task for a person and waits until it is completed.

    Subclass it, or use it as it is: ``BaseHumanStep(name="review", title="Review {document}", assignee="{author}")``. Texts are
    templates: ``{amount}`` is replaced by the data of that name. Write a ``get_`` method where a template does not do; write
    `execute` for what is to happen after the completion, and its result is then the step's (else it is the form).

    Attributes:
        title: Template of the task's title.
        form_schema: JSON Schema of the form, or a msgspec Struct or dataclass; None accepts any object.
        assignee: Template of the id of the one who is to do it; None leaves it to the candidates.
        candidate_users: Ids of users who may do it.
        candidate_groups: Groups whose members may do it.
        due: When it is due, from its opening.
        reminder: When a reminder is due, from its opening.
        priority: 0 (least) to 100.
        into: Data key that receives the form; None merges the fields of the form into the data.
    """

    step_type = StepType.HUMAN
    title: str = ""
    form_schema: Mapping[str, Any] | type | None = None
    assignee: str | None = None
    candidate_users: Sequence[str] = ()
    candidate_groups: Sequence[str] = ()
    due: timedelta | None = None
    reminder: timedelta | None = None
    priority: int = 50
    into: str | None = None

    def __init__(
        self,
        *,
        title: str | None = None,
        form_schema: Mapping[str, Any] | type | None = None,
        assignee: str | None = None,
        candidate_users: Sequence[str] | None = None,
        candidate_groups: Sequence[str] | None = None,
        due: timedelta | None = None,
        reminder: timedelta | None = None,
        priority: int | None = None,
        into: str | None = None,
        **attributes: Any,
    ) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(**attributes)
        self._assign(title=title, form_schema=form_schema, assignee=assignee, due=due, reminder=reminder, into=into)
        self._assign(candidate_users=candidate_users, candidate_groups=candidate_groups, priority=priority)

    @default_hook
    def execute(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> Any:
        """Called after the completion, with the form in the data; what is returned is the step's result."""
        return _form_of(context)

    @default_hook
    def get_title(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[str]:
        """The title of the task, instead of the template."""
        return self.title

    @default_hook
    def get_description(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[str | None]:
        """The description of the task, instead of the template."""
        return self.description or None

    @default_hook
    def get_assignee(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[str | None]:
        """Id of the one who is to do it; None leaves it to the candidates."""
        return self.assignee

    @default_hook
    def get_assignee_group(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[str | None]:
        """The one group whose members may do it."""
        return None

    @default_hook
    def get_candidate_users(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[Sequence[str]]:
        """Ids of users who may do it."""
        return self.candidate_users

    @default_hook
    def get_candidate_groups(
        self, context: WorkflowContext, *args: Any, **kwargs: Any
    ) -> MaybeAwaitable[Sequence[str]]:
        """Groups whose members may do it."""
        return self.candidate_groups

    @default_hook
    def get_due_date(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[datetime | None]:
        """The moment when it is due, with a time zone; None leaves it to `due`."""
        return None

    @default_hook
    def get_reminder_date(self, context: WorkflowContext, *args: Any, **kwargs: Any) -> MaybeAwaitable[datetime | None]:
        """The moment of a reminder, with a time zone; None leaves it to `reminder`."""
        return None

    @default_hook
    def validate_submission(
        self,
        context: WorkflowContext,
        data: Mapping[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> MaybeAwaitable[Sequence[str] | Mapping[str, str] | None]:
        """Check a form beyond its schema, before the completion.

        Returns:
            What is wrong: messages, or a message by field; nothing if all is well.

        Raises:
            ValueError: Its text is what is wrong.
        """
        return None


_HOOKS: Final = {
    "get_title": "title",
    "get_description": "description",
    "get_assignee": "assignee",
    "get_assignee_group": "candidate_groups",
    "get_candidate_users": "candidate_users",
    "get_candidate_groups": "candidate_groups",
    "get_due_date": "due_at",
    "get_reminder_date": "reminder_at",
}
"""Field of an `Assignment` by the hook that gives it."""


def read_human(name: str, step: Any, report: Report) -> tuple[HumanNode, StepCode]:
    """The node and the code of a human step."""
    if overridden(step, "get_assignee_group") and overridden(step, "get_candidate_groups"):
        mend = "keep get_candidate_groups, and return the one group in a list"
        report.about_step(name, "two_sources", "both get_assignee_group and get_candidate_groups give the groups", mend)
    hooks = {hook: method for hook in _HOOKS if (method := overridden(step, hook)) is not None}
    guard = overridden(step, "can_execute")
    execute, on_success = overridden(step, "execute"), overridden(step, "on_success")
    handler = execute is not None or on_success is not None
    node = HumanNode(
        title=getattr(step, "title", ""),
        description=getattr(step, "description", "") or None,
        form_schema=read_schema(getattr(step, "form_schema", None), name, "form_schema", report),
        assignee=getattr(step, "assignee", None),
        candidate_users=_names(name, step, "candidate_users", report),
        candidate_groups=_names(name, step, "candidate_groups", report),
        due_s=_seconds(name, step, "due", report),
        reminder_s=_seconds(name, step, "reminder", report),
        priority=getattr(step, "priority", 50),
        into=getattr(step, "into", None),
        computed=bool(hooks) or guard is not None,
        handler=handler,
    )
    code = StepCode(
        compensate=overridden(step, "compensate"),
        step=step,
        execute=(execute or _take_form) if handler else None,
        on_success=on_success,
        on_failure=overridden(step, "on_failure"),
        prepare=_preparation(name, hooks, guard) if node.computed else None,
        asked=hooks if guard is None else {"can_execute": guard, **hooks},
        validate_submission=overridden(step, "validate_submission"),
        is_async=is_coroutine_function(execute or _take_form),
    )
    return node, code


def _form_of(context: WorkflowContext) -> Any:
    """The form of the step that has just been completed."""
    return (context.data.get("forms") or {}).get(context.current_step)


async def _take_form(context: WorkflowContext) -> Any:
    return _form_of(context)


def _preparation(
    name: str, hooks: Mapping[str, Callable[..., Any]], guard: Callable[..., Any] | None
) -> Callable[[WorkflowContext], Awaitable[Assignment | Outcome]]:
    """Ask the guard and then every hook that was written, one after the other."""

    async def prepare(context: WorkflowContext) -> Assignment | Outcome:
        if guard is not None and not await ask(guard, context):
            return Outcome.SKIPPED
        answers: dict[str, Any] = {}
        for hook, method in hooks.items():
            answer = await ask(method, context)
            if answer is not None:
                answers[_HOOKS[hook]] = _checked(name, hook, answer)
        return Assignment(**answers)

    return prepare


def _checked(name: str, hook: str, answer: Any) -> Any:
    """What a hook returned, in the form in which the task wants it.

    Raises:
        StepExecutionError: It has another type.
    """
    if hook.endswith("_date"):
        if isinstance(answer, datetime) and answer.tzinfo is not None:
            return answer
        wanted = "a datetime with a time zone, or None"
    elif "candidate" in hook:
        if not isinstance(answer, str) and all(isinstance(entry, str) for entry in answer):
            return tuple(answer)
        wanted = "a list of names"
    else:
        if isinstance(answer, str):
            return (answer,) if hook == "get_assignee_group" else answer
        wanted = "text, or None"
    raise StepExecutionError(name, f"{hook} returned {answer!r}; return {wanted}")


def _names(name: str, step: Any, attribute: str, report: Report) -> tuple[str, ...]:
    value = getattr(step, attribute, None) or ()
    if not isinstance(value, Collection) or isinstance(value, str) or not all(isinstance(each, str) for each in value):
        report.about_step(name, "bad_type", f"{attribute} is {value!r}", "write a list of names")
        return ()
    return tuple(value)


def _seconds(name: str, step: Any, attribute: str, report: Report) -> float | None:
    value = getattr(step, attribute, None)
    if value is None:
        return None
    if not isinstance(value, timedelta):
        report.about_step(name, "bad_type", f"{attribute} is {value!r}", "write a timedelta, such as timedelta(days=2)")
        return None
    return value.total_seconds()
