"""The settings of single steps: durations, moments, schemas, groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from workflows_core.domain.forms import SchemaProblem, check_document_schema, check_form_schema
from workflows_core.domain.graph import (
    MOST_URGENT,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    Node,
    NodeKind,
    SignalNode,
    TimerNode,
    WebhookNode,
)
from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit
from workflows_core.domain.validation.findings import Findings, about_step, about_workflow
from workflows_core.domain.validation.view import GraphView

__all__ = ["LONGEST_WAIT", "check_settings"]

LONGEST_WAIT: Final = timedelta(days=36525)
"""Longest delay, due time and reminder: a hundred years, so that no date grows past what a database can hold."""

MOST_AT_ONCE: Final = 1_000_000
"""The largest limit."""

_Faults = Iterator[tuple[str, str, str]]


def check_settings(view: GraphView) -> Findings:
    """Everything about a step that does not depend on the others."""
    if view.graph.input_schema is not None:
        for code, message, mend in _schema("input schema", check_document_schema(view.graph.input_schema)):
            yield about_workflow(view, code, message, mend)
    for code, message, mend in _duration("deadline", view.graph.deadline_s):
        yield about_workflow(view, code, message, mend)
    for code, message, mend in _priority(view.graph.priority):
        yield about_workflow(view, code, message, mend)
    for code, message, mend in _limits_in([("concurrency", view.graph.concurrency)]):
        yield about_workflow(view, code, message, mend)
    for name, node in view.graph.nodes.items():
        for code, message, mend in (*_of(node.kind), *_limits(node)):
            yield about_step(view, name, code, message, mend)
        kind = node.kind
        if isinstance(kind, HumanNode) and (kind.reminder_s or 0) > (kind.due_s or float("inf")):
            message = f"its reminder comes {kind.reminder_s} s after its opening, but it is due after {kind.due_s} s"
            yield about_step(view, name, "reminder_after_due", message, "remind earlier", is_warning=True)


def _of(kind: NodeKind) -> _Faults:
    match kind:
        case HumanNode():
            yield from _human(kind)
        case TimerNode():
            yield from _timer(kind)
        case WebhookNode(payload_schema=schema) if schema is not None:
            yield from _schema("payload schema", check_document_schema(schema))
        case SignalNode():
            yield from _signal(kind)
        case GroupNode():
            yield from _group(kind)
        case ForEachNode():
            yield from _for_each(kind)
        case _:
            return


def _limits(node: Node) -> _Faults:
    for what, seconds in (
        ("timeout", node.timeout_s),
        ("attempt timeout", node.attempt_timeout_s),
        ("heartbeat timeout", node.heartbeat_s),
    ):
        yield from _duration(what, seconds)
        if seconds == 0:
            yield "bad_duration", f"its {what} is 0 s, so it would be over before it begins", "use more than 0 seconds"
    yield from _priority(node.priority or 0)
    yield from _throttles(node)
    if node.retry is not None:
        yield from _retry(node.retry)
    runs_code = isinstance(node.kind, MachineNode) or getattr(node.kind, "computed", False)
    is_limited = node.attempt_timeout_s is not None or node.heartbeat_s is not None
    if is_limited and not runs_code and not getattr(node.kind, "handler", False):
        message = "it runs no code, so no attempt of it can take too long"
        yield "misplaced_setting", message, "limit the time of the whole step with timeout instead"


def _priority(priority: int) -> _Faults:
    if abs(priority) > MOST_URGENT:
        yield "bad_priority", f"its priority is {priority}", f"use {-MOST_URGENT} (least) to {MOST_URGENT}"


def _throttles(node: Node) -> _Faults:
    rate, kind = node.rate, node.kind
    limits = [("concurrency", node.concurrency), ("rate", rate)]
    yield from _limits_in(limits)
    if rate is not None:
        yield from _duration("time of its rate", rate.per.total_seconds())
        if rate.per <= timedelta():
            yield "bad_duration", "the time of its rate is 0 s", "use more than 0 seconds"
    runs = isinstance(kind, MachineNode) or (isinstance(kind, GatewayNode) and kind.computed)
    if (node.concurrency or rate) and not runs and not getattr(kind, "handler", False):
        yield "misplaced_setting", "it runs no code that could be limited", "limit the steps that run code"


def _limits_in(limits: Iterable[tuple[str, ConcurrencyLimit | RateLimit | None]]) -> _Faults:
    for what, limit in limits:
        if limit is None:
            continue
        if not 1 <= limit.limit <= MOST_AT_ONCE:
            yield "bad_limit", f"its {what} is limited to {limit.limit}", f"use 1 to {MOST_AT_ONCE}"
        if limit.key == "":
            yield "bad_key", f"the key of its {what} limit is empty", "name a key of the data, or leave it out"
        if limit.name is not None and not (limit.name and limit.name.isprintable()):
            yield "bad_name", f"the name of its {what} limit is {limit.name!r}", "use printable characters"


def _retry(policy: RetryPolicy) -> _Faults:
    if policy.max_attempts < 0:
        yield "bad_retry", f"its retry policy has {policy.max_attempts} attempts", "use 1 or more, or 0 for any number"
    yield from _duration("initial retry delay", policy.initial_delay_s)
    yield from _duration("longest retry delay", policy.max_delay_s)
    yield from _duration("retry time", policy.max_elapsed_s)
    if not policy.multiplier >= 1:
        yield "bad_retry", f"the multiplier of its retry policy is {policy.multiplier}", "use 1 or more"
    if not 0 <= policy.jitter <= 1:
        yield "bad_retry", f"the jitter of its retry policy is {policy.jitter}", "use 0 to 1"


def _human(kind: HumanNode) -> _Faults:
    yield from _duration("due time", kind.due_s)
    yield from _duration("reminder", kind.reminder_s)
    if not 0 <= kind.priority <= 100:
        yield "bad_priority", f"its priority is {kind.priority}", "use 0 (least) to 100"
    if kind.form_schema is not None:
        yield from _schema("form schema", check_form_schema(kind.form_schema))


def _signal(kind: SignalNode) -> _Faults:
    if not kind.signal:
        yield (
            "bad_signal",
            "the name of its signal is empty",
            "name the signal, or leave it out to use the name of the step",
        )
    if kind.payload_schema is not None:
        yield from _schema("payload schema", check_document_schema(kind.payload_schema))


def _timer(kind: TimerNode) -> _Faults:
    yield from _duration("delay", kind.delay_s)
    if kind.until is None:
        return
    if kind.delay_s:
        yield "ambiguous_timer", "it has a delay and a moment", "keep one of the two"
    try:
        moment = datetime.fromisoformat(kind.until)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        reason = "is no ISO 8601 moment" if moment is None else "has no offset from UTC"
        yield "bad_moment", f"its moment {kind.until!r} {reason}", "write it as 2030-01-31T09:00:00+01:00"


def _group(kind: GroupNode) -> _Faults:
    if kind.kind == "conditional":
        if not kind.branches:
            yield "no_entry", "it is a conditional group without branches", "add a branch"
        if kind.entry:
            yield "misplaced_setting", "a conditional group has branches, not entries", "remove the entries"
        if kind.selector is None and not kind.computed:
            yield "no_selector", "nothing chooses its branch", "give it a selector, or code that chooses"
    else:
        if not kind.entry:
            yield "no_entry", f"it is a {kind.kind} group without entry", "name the steps that it begins with"
        if kind.branches or kind.selector is not None:
            message = f"a {kind.kind} group takes no branches and no selector"
            yield "misplaced_setting", message, "make it a conditional group, or remove them"
    if kind.callback is not None and kind.kind != "parallel":
        yield "misplaced_setting", f"a {kind.kind} group takes no callback", "make it a parallel group, or remove it"
    if kind.selector is not None and kind.computed:
        yield "ambiguous_selector", "it has a selector and code that chooses", "keep one of the two"


def _for_each(kind: ForEachNode) -> _Faults:
    if kind.concurrency < 1:
        yield "bad_concurrency", f"its concurrency is {kind.concurrency}", "use 1 or more"
    if kind.source is None and not kind.computed:
        yield "no_source", "nothing gives its items", "give it a source, or code that gives the items"
    if kind.source is not None and kind.computed:
        yield "ambiguous_source", "it has a source and code that gives the items", "keep one of the two"
    for role, key in (("item", kind.item), ("index", kind.index)):
        if not key:
            yield "bad_key", f"the key of its {role} is empty", f"name it, for example {role!r}"
    if kind.item and kind.item == kind.index:
        yield "bad_key", f"its item and its index are both stored under {kind.item!r}", "use two keys"


def _duration(what: str, seconds: float | None) -> _Faults:
    if seconds is None:
        return
    longest = LONGEST_WAIT.total_seconds()
    if not 0 <= seconds <= longest:  # also false for NaN
        yield "bad_duration", f"its {what} is {seconds} s", f"use 0 to {longest:.0f} seconds (100 years)"


def _schema(what: str, found: Iterable[SchemaProblem]) -> _Faults:
    for problem in found:
        reason, _, mend = problem.message.partition("; ")
        yield "bad_schema", f"its {what} is wrong at {problem.pointer or '/'}: {reason}", mend or "correct the schema"
