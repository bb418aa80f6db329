"""Port: keeping what a worker holds, whatever else its process is busy with."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from workflows_core.ports.executor import WorkRef

__all__ = ["LeaseKeeper"]


class LeaseKeeper(Protocol):
    """Renews leases, apart from everything else that a store does; made by `WorkflowStore.lease_keeper`.

    It has a connection of its own, so neither a full pool nor a transaction that takes long holds it up. It belongs to the event loop
    in which it is first used, which may be another than the store's, in another thread. Connections are made when they are needed,
    and again when they were lost.
    """

    @abstractmethod
    async def renew(self, worker: str, lease_s: float) -> set[WorkRef]:
        """Extend all leases of a worker that have not ended to ``lease_s`` seconds from now, in one statement.

        A call that is cancelled leaves the keeper usable.

        Returns:
            The work items that the worker still holds.

        Raises:
            StoreUnavailableError: The store does not answer; whether the leases were extended is not known.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give back the connection. A second call does nothing."""
