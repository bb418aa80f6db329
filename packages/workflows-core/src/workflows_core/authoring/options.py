"""What the decorators may be told, for type checkers and for those who mistype a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypedDict

from workflows_core.authoring.edge import AnyEdge, End
from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit

__all__ = ["HumanTaskOptions", "MachineStepOptions", "StepOptions", "WorkflowOptions", "refuse_unknown"]


class WorkflowOptions(TypedDict, total=False):
    """What `workflow` may be told."""

    name: str | None
    """Name of the workflow; by default that of the class in snake_case, without ``Workflow``."""
    version: str
    """Its version, ordered as PEP 440 orders versions; 1.0.0 by default."""
    description: str | None
    """For people; by default the first line of the docstring."""
    edges: Iterable[AnyEdge] | None
    """Edges, if steps do not name their successors; may also be the class attribute ``edges``."""
    initial: End | None
    """First step; by default the one with ``initial=True``, else the first in the body."""
    reducers: Mapping[str, str] | None
    """Name of the reducer by data key."""
    state: type | None
    """Type of ``context.state``."""
    input_schema: Mapping[str, Any] | type | None
    """JSON Schema of the initial data, or a type."""
    deadline: timedelta | None
    """Time after its start at which an instance fails if it is not over."""
    queue: str | None
    """Queue of the steps that name none, and of the work that belongs to no step."""
    priority: int | None
    """Of the instances' work among what is due, higher is taken first; 0 by default."""
    concurrency: ConcurrencyLimit | int | None
    """How many instances may be under way at once; others are ``pending``."""


class StepOptions(TypedDict, total=False):
    """What `step` and `human_task` may be told; see `StepAttributes` for more."""

    name: str | None
    """Name of the step; by default that of the function."""
    description: str | None
    """For people; by default the first line of the docstring. A template, for human steps."""
    initial: bool
    """Whether the workflow begins with it."""
    terminal: bool | str
    """True ends the token here; ``"instance"`` ends the whole instance."""
    next: End | Sequence[End] | None
    """Successors: one step simply follows; a collection are those that the result chooses from; ``()`` are none."""
    join: str | int | None
    """What it does with several incoming edges."""
    queue: str | None
    """Name of the queue whose workers run its function; that of the workflow by default."""
    retry: RetryPolicy | int | None
    """When a failed attempt is repeated: a policy, or the number of attempts."""
    timeout: timedelta | None
    """Time that the step may take, with all attempts and waits."""
    attempt_timeout: timedelta | None
    """Time that one attempt may take."""
    heartbeat_timeout: timedelta | None
    """Time for which the function may go without ``context.heartbeat()``."""
    concurrency: ConcurrencyLimit | int | None
    """How many executions of its function may run at once, in all processes."""
    rate: RateLimit | None
    """How many may begin in a time, in all processes."""
    compensation: Callable[..., Any] | None
    """A function, or another method of the class, that undoes what this one did."""


class MachineStepOptions(StepOptions, total=False):
    """What `step` may be told."""

    transactional: bool
    """What it writes through ``context.session`` and its result are one transaction; see `BaseMachineStep`."""
    priority: int | None
    """Of its work among what is due, higher is taken first; that of the instance by default."""


class HumanTaskOptions(StepOptions, total=False):
    """What `human_task` may be told; see `BaseHumanStep` for more."""

    title: str
    """Template of the task's title; ``{amount}`` is replaced by the data of that name."""
    form_schema: Mapping[str, Any] | type | None
    """JSON Schema of the form, or a msgspec Struct or dataclass; None accepts any object."""
    assignee: str | None
    """Template of the id of the one who is to do it; None leaves it to the candidates."""
    candidate_users: Sequence[str]
    """Ids of users who may do it."""
    candidate_groups: Sequence[str]
    """Groups whose members may do it."""
    due: timedelta | None
    """When it is due, from its opening."""
    reminder: timedelta | None
    """When a reminder is due, from its opening."""
    priority: int
    """0 (least) to 100; 50 by default."""
    into: str | None
    """Data key that receives the form; None merges the fields of the form into the data."""


def refuse_unknown(decorator: str, options: Mapping[str, Any], known: type) -> None:
    """Refuse what a decorator does not know.

    Raises:
        TypeError: An option has another name; says which is near.
    """
    names = known.__annotations__
    for name in options:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(names)}"
            msg = f"@{decorator} got an unexpected option {name!r}; {mend}"
            raise TypeError(msg)
