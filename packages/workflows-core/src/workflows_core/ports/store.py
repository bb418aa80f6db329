"""Port: where instances live. The write side; lists and look-ups for people are in `workflows_core.ports.queries`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import Transition, WorkItem
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.transactions import Transactions

__all__ = [
    "Claim",
    "ClaimRequest",
    "Committed",
    "Conflict",
    "DuplicateKey",
    "Held",
    "LeaseLost",
    "Loaded",
    "StartKey",
    "WorkflowStore",
    "Write",
    "WriteResult",
    "code_key",
    "step_key",
]


def code_key(workflow: str, version: str) -> str:
    """The name under which a worker says that it has the code of a workflow."""
    return f"{workflow}@{version}"


def step_key(workflow: str, version: str, step: str) -> str:
    """The name under which a worker says that it lacks the code of a step."""
    return f"{workflow}@{version}/{step}"


class Held(msgspec.Struct, frozen=True, gc=False):
    """Proof that a worker holds a work item.

    Good as long as the last claim of the work item has this fence and this worker, also after its lease has ended.

    Attributes:
        number: Number of the work item.
        fence: The fence that its claim was given.
        worker: Boot-unique id of the worker.
    """

    number: int
    fence: int
    worker: str


class StartKey(msgspec.Struct, frozen=True, gc=False):
    """Makes a start idempotent.

    Attributes:
        key: Unique for tenant and workflow.
        digest: Digest of the request; another digest under the same key is another request.
    """

    key: str
    digest: str


class Write(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One transition to be committed, with the conditions under which it may be.

    Attributes:
        id: Identity of the transition, stored with its revision.
        transition: What changes. It is written only if the instance is still at ``transition.base_revision`` (0: does not exist).
        held: The work item under which it was decided; it is written only if that fence is still the newest.
        also_held: Further ones of the same worker, under which parts of it were decided; all their fences must be the newest too.
        take: Numbers of work items of this transition that the same worker goes on with: written as claimed, with the next fence.
            One that was due stays due since then, any other is due now.
        lease_s: Seconds for which ``take`` is leased.
        start_key: Only for the first transition of an instance.
    """

    id: UUID
    transition: Transition
    held: Held | None = None
    also_held: tuple[Held, ...] = ()
    take: tuple[int, ...] = ()
    worker: str = ""
    lease_s: float = 0.0
    start_key: StartKey | None = None

    @property
    def holds(self) -> tuple[Held, ...]:
        """``held`` and ``also_held``."""
        return self.also_held if self.held is None else (self.held, *self.also_held)


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The transition is durable.

    Attributes:
        at: Time of the commit, by the store's clock.
        fences: Fence by number, of the work items that were taken.
    """

    at: datetime
    fences: dict[int, int] = {}


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """The instance is at another revision; nothing was written. Load it and decide again."""


class LeaseLost(msgspec.Struct, frozen=True, gc=False):
    """The work item is held by another fence, or gone; nothing was written and nothing ever will be under this fence."""


class DuplicateKey(msgspec.Struct, frozen=True, gc=False):
    """The start key was used before; nothing was written.

    Attributes:
        instance_id: What it started.
        digest: Digest of that request.
    """

    instance_id: UUID
    digest: str


WriteResult = Committed | Conflict | LeaseLost | DuplicateKey


class Loaded(msgspec.Struct, frozen=True, gc=False):
    """An instance as it stands.

    Attributes:
        state: Its state; which item scopes it holds depends on the question.
        at: When it was read, by the store's clock.
    """

    state: InstanceState
    at: datetime


class ClaimRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a worker is ready to take.

    Attributes:
        worker: Boot-unique id, written into the lease.
        limit: Most work items; 0 claims none.
        lease_s: Seconds of the lease.
        queues: Queues that it serves; None serves all.
        codes: `code_key` of each workflow whose code it has; None has all.
        without: `step_key` of each step of those workflows whose code it nevertheless lacks.
        items: Only these work items; None takes any.
    """

    worker: str
    limit: int
    lease_s: float
    queues: frozenset[str] | None = None
    codes: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    items: tuple[WorkRef, ...] | None = None


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A work item in the hands of one worker, with its inputs.

    Attributes:
        item: The work item; its delay is spent, and of its time limit it has what is left from ``at`` on. Its kind is `WorkKind.EXPIRE` if its time limit has passed.
        state: The instance, with the scopes around the item's scope.
        fence: Higher than that of every earlier claim of the work item, or of another one that had its number before.
        attempt: How often the work item was claimed since a transition wrote it, this claim included; a release takes that back
            only if the work was not begun.
        at: When it was claimed, by the store's clock.
        crashes: How many of the claims since then ended with their lease: their worker died, or was cut off.
    """

    item: WorkItem
    state: InstanceState
    fence: int
    attempt: int
    at: datetime
    crashes: int = 0

    @property
    def ref(self) -> WorkRef:
        """Identity of the work item."""
        return WorkRef(self.state.id, self.item.number)

    @property
    def lease(self) -> Lease:
        """What the worker holds by it."""
        return Lease(self.state.id, self.item.number, self.fence)


class WorkflowStore(Protocol):
    """Keeps definitions, instances and work items; every call is one transaction of its own.

    Values that go in and come out are immutable and shared by nobody who could change them. All times are the store's own.
    Every method raises `StoreUnavailableError` when the store cannot be reached; then nothing was done, except for `commit`, see
    there.
    """

    @property
    def transactions(self) -> Transactions | None:
        """Transactions that the application's own writes can share; None if the store has none."""
        return None

    @abstractmethod
    async def check(self) -> None:
        """Find out whether the store can be used: reachable, and its schema is the one this version wants.

        Raises:
            StoreUnavailableError: It cannot; says why and how to mend it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give back connections; the store is not used afterwards. A second call does nothing."""

    @abstractmethod
    async def now(self) -> datetime:
        """The present moment by the store's clock, aware, in UTC."""

    @abstractmethod
    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        """Keep graphs by their hash, all or none. What is kept already stays as it is."""

    @abstractmethod
    async def graph(self, graph_hash: str) -> WorkflowGraph | None:
        """The graph with this hash, or None."""

    @abstractmethod
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        """Commit transitions, each of its own instance, each atomically; one refused transition harms no other.

        A transition is written if and only if its revision is the next one of its instance, its fence is the newest of its work
        item, and its start key is new. With it are written, atomically: the instance (data only if changed), item scopes, finished
        step executions (``reopened`` ones are deleted first), work items (made, changed, deleted), tasks and events. Where ``data_changed`` is false the stored data
        stay, whatever the state of the transition says. Delays count from the commit, by the store's clock. A work item that is
        written is held by nobody afterwards, unless it is taken.
        A commit that is under way is not stopped by the cancellation of its caller.

        Args:
            writes: Transitions; no two of the same instance.

        Returns:
            A result for each, in the order of ``writes``.

        Raises:
            StoreUnavailableError: The outcome is unknown: ask `committed`. It may also be committed again: it is never written twice.
        """

    @abstractmethod
    async def committed(self, write: Write) -> Committed | None:
        """The result of a write whose answer was lost, whatever has happened to its instance since; None if it was not committed.

        It has the fences of those work items that are still held for its worker as it took them.
        """

    @abstractmethod
    async def load(
        self,
        instance_id: UUID,
        *,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> Loaded | None:
        """Read one instance, consistently.

        Args:
            instance_id: Which one.
            tenant: Only if it belongs to this tenant; None does not ask.
            scopes: Scopes that are needed; those of items are read with every item scope around them.
            all_items: Read the scopes of all active items.

        Returns:
            The instance, or None if there is none (for that tenant).
        """

    @abstractmethod
    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        """Encoded results of the finished items ``first`` … ``first + total - 1``, in that order."""

    @abstractmethod
    async def claim(self, request: ClaimRequest) -> list[Claim]:
        """Give due work items to one worker.

        A work item is eligible if its moment has come, it is in a wanted queue and of a known workflow, its instance is neither
        paused nor over, and nobody holds it or the holder's lease has ended; and also, due or not and held or not, if its time limit
        has passed: then it counts as due since that moment, and the limit is spent. Two workers never get the same claim: it is atomic, and
        does not wait for other claimers where the database can skip their rows. Each claim raises the fence.

        The highest priority comes first. Among work of equal priority tenants take turns: the first of each comes before the second of
        any, and the tenants follow each other by their names, from the one on that comes after the tenant that had the last turn, in the
        claims of this store object for the same queues, codes and steps (`workflows_core.ports.turns` helps with both). Of each tenant
        the earliest due comes first, ties by instance and number; so with one tenant alone it is the order of moments. Of work that was to be
        done later and has come due as much may be looked at as is wise, in the order of its moments; work that waits for a slot or a
        rate stands in the order of moments with all that needs the same. Work that is asked for as ``items`` takes no turns.

        Returns:
            Claims in that order. May be fewer than ``limit`` although more are due.
        """

    @abstractmethod
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        """Extend all leases of a worker that have not ended to ``lease_s`` seconds from now, in one statement.

        Returns:
            The leases that it still has, those included that are being committed just now.
        """

    @abstractmethod
    def lease_keeper(self) -> LeaseKeeper:
        """Make what renews leases of this store from another thread; nothing is connected to yet. It is closed before the store."""

    @abstractmethod
    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        """Give work items back unfinished; they may be claimed again after the delay.

        A lease that has ended, or after which the work item was claimed again, by whomever, gives nothing back: so a release may arrive
        late, and twice. Only of a work item that was made anew since, and that the same worker has claimed, it may give back a later claim.

        Args:
            worker: Who has the leases.
            leases: Which.
            delay_s: Seconds for which nobody can claim them.
            untouched: They were not begun: the claim does not count as an attempt. The fence stays raised.
        """

    @abstractmethod
    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        """Seconds until a work item of these queues and workflows can be claimed; 0 or less if one can now; None without any.

        The arguments mean what they mean in a `ClaimRequest`.
        A held item counts with the end of its lease, and any item with its time limit; work of instances that are paused or over does
        not count.
        """
