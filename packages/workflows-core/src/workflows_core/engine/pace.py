"""How often a worker looks for work when nobody wakes it."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["Pace"]

_SHORTEST_S: Final = 0.02
_SHORT_S: Final = 0.25
_FACTOR: Final = 2.0


class Pace:
    """Pauses between looks: short after work, longer while there is none, and never longer than allowed.

    Each pause is a little shorter than it might be, by chance, so that workers that were started together do not look together.

    Args:
        longest_s: Seconds of the longest pause.
    """

    __slots__ = ("_longest_s", "_pause_s")

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._pause_s = 0.0

    def found(self) -> None:
        """There was work: more may follow soon."""
        self._pause_s = 0.0

    def pause_s(self, *, proven: bool, expected: bool) -> float:
        """Seconds until the next look.

        Args:
            proven: Hints are known to arrive.
            expected: There are hints at all; where they are expected and do not arrive, the pauses stay short.
        """
        longest = self._longest_s if proven or not expected else min(self._longest_s, _SHORT_S)
        shortest = longest / 4 if proven else min(_SHORTEST_S, longest)
        self._pause_s = min(max(self._pause_s * _FACTOR, shortest), longest)
        return self._pause_s * random.uniform(0.8, 1.0)  # noqa: S311 - not a secret
