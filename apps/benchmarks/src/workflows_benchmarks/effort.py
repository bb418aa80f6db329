"""How long and how often is measured."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Effort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a measurement may cost.

    Attributes:
        seconds: Length of each measurement.
        rounds: How often each is repeated; medians are reported.
        size: How many instances there are, where a benchmark has a number of them.
        peers: Whether other libraries are measured too.
    """

    seconds: float = 2.0
    rounds: int = 5
    size: int = 0
    peers: bool = False
