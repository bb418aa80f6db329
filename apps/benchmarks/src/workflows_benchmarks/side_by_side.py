"""Our rounds and those of the raw database take turns, so that what else the machine does hits both."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.machine import busy_cores
from workflows_benchmarks.raw import RawCommit, RawDatabase

__all__ = ["Figures", "Found", "measure_side_by_side"]

K = TypeVar("K")
T = TypeVar("T")

Figures = dict[str, float | int]

_LISTEN_S = 0.3
"""How long to look at what else the machine does, before each round."""


@dataclass(slots=True)
class Found(Generic[K, T]):
    """What the rounds brought.

    Attributes:
        ours: By the key of each measure.
        commits: The raw database's commits per second, by their kind and the number of clients.
        round_trips: Its round trips per second, one client.
        busy_cores: How many cores others kept busy, asked before each round.
    """

    ours: dict[K, list[T]]
    commits: dict[tuple[RawCommit, int], list[float]] = field(default_factory=dict)
    round_trips: list[float] = field(default_factory=list)
    busy_cores: list[float] = field(default_factory=list)

    @property
    def best_commits_per_s(self) -> float:
        """The best median of all kinds of commits and numbers of clients."""
        return max(self.medians().values())

    def medians(self) -> dict[tuple[RawCommit, int], float]:
        """Commits per second by kind and number of clients."""
        return {key: statistics.median(rates) for key, rates in self.commits.items()}

    def beside(self) -> Figures:
        """What the raw database did, if there is one, and what else the machine had to do."""
        figures: Figures = {}
        if self.busy_cores:
            figures["cores_busy_besides"] = round(statistics.mean(self.busy_cores), 2)
        if not self.commits:
            return figures
        figures["raw_commits_per_s_best"] = round(self.best_commits_per_s, 1)
        for (commit, clients), rate in self.medians().items():
            figures[f"raw_{commit}_per_s_at_{clients}"] = round(rate, 1)
        figures["raw_round_trips_per_s_alone"] = round(statistics.median(self.round_trips), 1)
        return figures

    def raw_note(self) -> str:
        """Which raw loop was the best."""
        medians = self.medians()
        commit, clients = max(medians, key=medians.__getitem__)
        return f"best raw loop: {commit.replace('_', ' ')}, {clients} clients"


async def measure_side_by_side(
    ours: Mapping[K, Callable[[], Awaitable[T]]],
    raw: RawDatabase | None,
    effort: Effort,
    *,
    clients: Sequence[int] = (1,),
) -> Found[K, T]:
    """Measure round by round: one of ours, one of the raw database's, and so on; then the next round.

    Args:
        ours: What is measured, in this order.
        raw: The database beside; None in memory.
        effort: How often, and how long each measurement of the raw database takes.
        clients: Numbers of clients of the raw loops.
    """
    found: Found[K, T] = Found({key: [] for key in ours})
    for _ in range(effort.rounds):
        busy = await busy_cores(min(_LISTEN_S, effort.seconds))
        if busy is not None:
            found.busy_cores.append(busy)
        left = list(clients) if raw is not None else []
        for key, measure in ours.items():
            found.ours[key].append(await measure())
            if left:
                await _measure_raw(found, raw, left.pop(0), effort.seconds)
        for number in left:
            await _measure_raw(found, raw, number, effort.seconds)
        if raw is not None:
            found.round_trips.append(await raw.round_trips_per_s(seconds=effort.seconds / 4))
    return found


async def _measure_raw(found: Found[K, T], raw: RawDatabase | None, clients: int, seconds: float) -> None:
    assert raw is not None
    for commit in RawCommit:
        rate = await raw.commits_per_s(commit, clients=clients, seconds=seconds / len(RawCommit))
        found.commits.setdefault((commit, clients), []).append(rate)
