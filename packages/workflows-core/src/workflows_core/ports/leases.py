"""Port: what a worker holds, and keeping it, whatever else its process is busy with."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from workflows_core.ports.executor import WorkRef

__all__ = ["FENCES_OF_A_REVISION", "Lease", "LeaseKeeper", "fence_before"]

FENCES_OF_A_REVISION: Final = 1 << 20
"""Claims of one work item after which its fences could be those of another one that has its number later."""


def fence_before(revision: int) -> int:
    """The fence of a work item that was never claimed; its claims count on from there.

    A work item that is deleted and made again under its number is made by a later revision of its instance, and so begins with a fence
    that is higher than any before.

    Args:
        revision: The revision that made it.
    """
    return revision * FENCES_OF_A_REVISION


class Lease(NamedTuple):
    """The hold that one claim has on a work item, and no other claim of it, be it of the same worker."""

    instance_id: UUID
    number: int
    fence: int

    @property
    def ref(self) -> WorkRef:
        """The work item."""
        return WorkRef(self.instance_id, self.number)


class LeaseKeeper(Protocol):
    """Renews leases, apart from everything else that a store does; made by `WorkflowStore.lease_keeper`.

    It has a connection of its own, so neither a full pool nor a transaction that takes long holds it up. It belongs to the event loop
    in which it is first used, which may be another than the store's, in another thread. Connections are made when they are needed,
    and again when they were lost.
    """

    @abstractmethod
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        """Extend all leases of a worker that have not ended to ``lease_s`` seconds from now, in one statement.

        A call that is cancelled leaves the keeper usable.

        Returns:
            The leases that the worker still has.

        Raises:
            StoreUnavailableError: The store does not answer; whether the leases were extended is not known.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give back the connection. A second call does nothing."""
