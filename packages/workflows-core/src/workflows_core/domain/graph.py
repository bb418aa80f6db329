"""The blueprint of a workflow as plain data: what is stored, hashed, drawn and run.

A graph is flat: every step, also one inside a group, is a node with a name that is unique in the whole graph; ``Node.scope``
names the group that it belongs to. Edges connect nodes of the same scope. The graph knows nothing of code: a node that needs
code says so (``computed``), and a worker looks the code up by workflow, version and step name.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

import msgspec

from workflows_core.domain.retry import RetryPolicy
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit
from workflows_core.domain.types import Outcome, StepType

__all__ = [
    "BRANCH",
    "INSTANCE",
    "MOST_URGENT",
    "Edge",
    "ForEachNode",
    "GatewayNode",
    "GroupNode",
    "HumanNode",
    "Join",
    "MachineNode",
    "Node",
    "NodeKind",
    "SignalNode",
    "TimerNode",
    "WebhookNode",
    "WorkflowGraph",
]

BRANCH: Final = "branch"
INSTANCE: Final = "instance"

MOST_URGENT: Final = 1_000_000
"""The highest priority; the lowest is this below 0."""


class Join(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a step with several incoming edges runs.

    Attributes:
        kind: ``auto`` waits for every token that can still come; ``all`` wants one on each forward edge; ``any`` takes the first
            and ``n`` the ``count``-th, cancelling what could still come; ``each`` runs once for every token.
        count: Tokens wanted by ``n``.
    """

    kind: Literal["auto", "all", "any", "n", "each"] = "auto"
    count: int = 0


class Edge(msgspec.Struct, frozen=True, omit_defaults=True):
    """A possible move of a token from one step to another of the same scope.

    Attributes:
        source: Name of the step that is left.
        target: Name of the step that is entered.
        on: Outcome of the source that the edge belongs to.
        condition: Expression over the data that must hold; None holds always.
        computed: The condition is a callable of the application, evaluated by a worker.
        default: Taken when no conditional edge of the same step and outcome holds.
        named: Taken when the result of the source names the target.
    """

    source: str
    target: str
    on: Outcome = Outcome.SUCCESS
    condition: str | None = None
    computed: bool = False
    default: bool = False
    named: bool = False

    @property
    def is_conditional(self) -> bool:
        """Whether the edge may be left out although its outcome happened."""
        return self.condition is not None or self.computed or self.named


class MachineNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="machine"):
    """Runs code on a worker.

    Attributes:
        catalogue: Name in a step catalogue, for steps that are authored as data; empty for steps written in code.
        config: Arguments for the catalogue step.
        transactional: What the code writes through its session, and the record of its result, are one transaction.
    """

    catalogue: str = ""
    config: dict[str, Any] = {}
    transactional: bool = False


class HumanNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="human"):
    """Opens a task for a person and waits for its completion.

    Attributes:
        title: Template of the title; ``{amount}`` is replaced by the data of that name.
        description: Template of the description.
        form_schema: JSON Schema of the form; None accepts any object.
        assignee: The one who is to do it (template); None leaves it to the candidates.
        candidate_users: Users who may do it.
        candidate_groups: Groups whose members may do it.
        due_s: Seconds until it is due, from its opening.
        reminder_s: Seconds until a reminder, from its opening.
        priority: 0 (least) to 100.
        into: Key that receives the form instead of its fields being merged into the data.
        computed: Assignment and dates come from code, so a worker opens the task.
        handler: Code runs after the completion, and its result is the step's; so a worker finishes the step.
    """

    title: str = ""
    description: str | None = None
    form_schema: dict[str, Any] | None = None
    assignee: str | None = None
    candidate_users: tuple[str, ...] = ()
    candidate_groups: tuple[str, ...] = ()
    due_s: float | None = None
    reminder_s: float | None = None
    priority: int = 50
    into: str | None = None
    computed: bool = False
    handler: bool = False


class GatewayNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="gateway"):
    """Chooses among its outgoing edges.

    Attributes:
        kind: ``exclusive`` takes the first edge that holds, ``inclusive`` every one that holds, ``parallel`` all.
        computed: Code names the successors, so a worker evaluates it.
    """

    kind: Literal["exclusive", "inclusive", "parallel"] = "exclusive"
    computed: bool = False


class TimerNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="timer"):
    """Waits until a moment.

    Attributes:
        delay_s: Seconds to wait from its entry.
        until: ISO 8601 moment with an offset; in the past it fires at once.
        computed: Code gives the delay, so a worker evaluates it first.
    """

    delay_s: float = 0.0
    until: str | None = None
    computed: bool = False


class WebhookNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="webhook"):
    """Waits for one call to its signed address.

    Attributes:
        payload_schema: JSON Schema that the payload must satisfy; None accepts any JSON.
        into: Key that receives the payload; None stores it under ``webhooks.<step>``.
    """

    payload_schema: dict[str, Any] | None = None
    into: str | None = None


class SignalNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="signal"):
    """Waits for a signal of that name to its instance.

    Attributes:
        signal: Name of the signal; several steps may wait for the same.
        payload_schema: JSON Schema that the payload must satisfy; None accepts any JSON.
        into: Key that receives the payload; None stores it under ``signals.<step>``.
    """

    signal: str
    payload_schema: dict[str, Any] | None = None
    into: str | None = None


class GroupNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="group"):
    """Holds steps of its own in an inner scope.

    Attributes:
        kind: How the inner steps are run and what the group's result is: ``sequential`` (the last result), ``parallel`` (all
            results in order, or the callback's), ``conditional`` (the chosen branch's), ``race`` (the first to finish).
        entry: Inner steps that get a token on entry; for ``conditional`` none.
        branches: Inner step by branch key, for ``conditional``.
        selector: Expression that gives the branch key, for ``conditional``.
        callback: Inner step that gets all results, for ``parallel``.
        outputs: Inner data key to outer data key, copied when the group succeeds.
        into: Outer data key that receives the group's result.
        computed: Code chooses the branch, so a worker evaluates it.
    """

    kind: Literal["sequential", "parallel", "conditional", "race"]
    entry: tuple[str, ...] = ()
    branches: dict[str, str] = {}
    selector: str | None = None
    callback: str | None = None
    outputs: dict[str, str] = {}
    into: str | None = None
    computed: bool = False


class ForEachNode(msgspec.Struct, frozen=True, omit_defaults=True, tag="for_each"):
    """Runs one inner step (or group) for each item of a collection, each item in a scope of its own.

    Attributes:
        body: Inner step that gets the token of an item.
        source: Expression that gives the items; None when code gives them (``computed``).
        item: Data key of the item inside its scope.
        index: Data key of the item's place, from 0, inside its scope.
        concurrency: Most items that are active at once.
        into: Outer data key that receives the results in the order of the items.
        computed: Code gives the items.
    """

    body: str
    source: str | None = None
    item: str = "item"
    index: str = "index"
    concurrency: int = 16
    into: str | None = None
    computed: bool = False


NodeKind = MachineNode | HumanNode | GatewayNode | TimerNode | WebhookNode | SignalNode | GroupNode | ForEachNode

_TYPES: Final[dict[type, StepType]] = {
    MachineNode: StepType.MACHINE,
    HumanNode: StepType.HUMAN,
    GatewayNode: StepType.GATEWAY,
    TimerNode: StepType.TIMER,
    WebhookNode: StepType.WEBHOOK,
    SignalNode: StepType.SIGNAL,
    GroupNode: StepType.GROUP,
    ForEachNode: StepType.GROUP,
}


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of the graph.

    Attributes:
        name: Unique in the graph.
        kind: What it does.
        description: For people.
        scope: Name of the group that holds it; empty at the top.
        join: What it does with several incoming tokens.
        terminal: ``branch`` ends the token that leaves it, ``instance`` also cancels all others; empty follows the edges.
        queue: Name of the queue whose workers may run it.
        priority: Of its work, higher is taken first; None is that of the instance.
        retry: When a failed attempt is repeated; None never.
        timeout_s: Seconds that the step may take, from its entry to its end, with all attempts and waits.
        attempt_timeout_s: Seconds that one attempt may take.
        heartbeat_s: Seconds that its code may go without ``context.heartbeat()``.
        compensable: Its code can undo it.
        concurrency: How many executions of its code may run at once.
        rate: How many may begin in a time.
    """

    name: str
    kind: NodeKind
    description: str = ""
    scope: str = ""
    join: Join = Join()
    terminal: Literal["", "branch", "instance"] = ""
    queue: str = "default"
    priority: int | None = None
    retry: RetryPolicy | None = None
    timeout_s: float | None = None
    attempt_timeout_s: float | None = None
    heartbeat_s: float | None = None
    compensable: bool = False
    concurrency: ConcurrencyLimit | None = None
    rate: RateLimit | None = None

    @property
    def step_type(self) -> StepType:
        """The step's classification."""
        return _TYPES[type(self.kind)]


class WorkflowGraph(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """A workflow as data.

    Attributes:
        name: Name of the workflow.
        version: Version, ordered as PEP 440 orders versions.
        description: For people.
        nodes: Steps by name, in the order of their definition.
        edges: In the order of their definition, which is the order of their evaluation.
        initial: Name of the first step.
        back_edges: Indexes into ``edges`` of the retreating edges of a depth-first walk; computed by the compiler of the graph.
        reducers: Name of the reducer by data key, for ``context.add``.
        input_schema: JSON Schema of the initial data; None accepts any object.
        state_keys: The data keys of a typed state; None when the data are untyped.
        deadline_s: Seconds after its start at which an instance fails if it is not over.
        queue: Queue of work that belongs to no step, and of steps that name none; None: that of the first step, and ``default``.
        priority: Of an instance whose start names none.
        concurrency: How many instances may be under way at once.
    """

    name: str
    version: str
    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    initial: str
    description: str = ""
    back_edges: tuple[int, ...] = ()
    reducers: dict[str, str] = {}
    input_schema: dict[str, Any] | None = None
    state_keys: tuple[str, ...] | None = None
    deadline_s: float | None = None
    queue: str | None = None
    priority: int = 0
    concurrency: ConcurrencyLimit | None = None

    @property
    def terminal_steps(self) -> tuple[str, ...]:
        """Names of the steps at which a token ends, at the top scope."""
        leaving = {edge.source for edge in self.edges}
        return tuple(
            node.name for node in self.nodes.values() if not node.scope and (node.terminal or node.name not in leaving)
        )

    def outgoing(self, name: str) -> tuple[Edge, ...]:
        """Edges that leave a step, in their order."""
        return tuple(edge for edge in self.edges if edge.source == name)

    def members(self, scope: str) -> tuple[Node, ...]:
        """Nodes directly inside a group; of the top for the empty string."""
        return tuple(node for node in self.nodes.values() if node.scope == scope)

    def to_json(self) -> bytes:
        """The graph as JSON, the same bytes for the same content."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_json(cls, document: bytes | str) -> WorkflowGraph:
        """Read what `to_json` wrote; nothing is validated beyond the types.

        Raises:
            msgspec.ValidationError: The document has another shape; the message names the place.
        """
        return msgspec.json.decode(document, type=cls)

    @property
    def hash(self) -> str:
        """SHA-256 of the content, in hexadecimal: the identity of the graph."""
        known: str | None = self.__dict__.get("_hash")
        if known is None:
            known = self.__dict__["_hash"] = hashlib.sha256(self.to_json()).hexdigest()
        return known
