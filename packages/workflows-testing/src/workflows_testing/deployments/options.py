"""What a rule may want of a worker process."""

from __future__ import annotations

import os
from enum import Enum
from typing import Final, Self

import msgspec

__all__ = ["OPTIONS_VARIABLE", "Mishap", "WorkerOptions"]

OPTIONS_VARIABLE: Final = "WORKFLOWS_TEST_WORKER"


class Mishap(Enum):
    """What happens to every hint on its way."""

    NONE = "none"
    LOST = "lost"
    DOUBLED = "doubled"
    REORDERED = "reordered"


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Travels to the process in its environment.

    Attributes:
        queues: Queues of work that it serves; None serves all.
        concurrency: Most steps at once in the process.
        lease_s: Lease of its claims.
        poll_s: Most seconds between two looks of its own.
        drain_s: Seconds for the steps under way at a stop.
        lacks_second: It has the workflow ``pair`` without the code of its second step.
        mishap: What happens to the hints that it gives.
    """

    queues: frozenset[str] | None = None
    concurrency: int = 8
    lease_s: float = 1.5
    poll_s: float = 0.3
    drain_s: float = 10.0
    lacks_second: bool = False
    mishap: Mishap = Mishap.NONE

    def to_environment(self) -> dict[str, str]:
        """The variable that holds them."""
        return {OPTIONS_VARIABLE: msgspec.json.encode(self).decode()}

    @classmethod
    def from_environment(cls) -> Self:
        """Those of this process; the defaults where nobody said anything."""
        return msgspec.json.decode(os.environ.get(OPTIONS_VARIABLE, "{}"), type=cls)
