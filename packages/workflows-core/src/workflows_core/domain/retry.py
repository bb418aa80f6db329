"""When a failed attempt is repeated."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

__all__ = ["NEVER_AGAIN", "RetryPolicy"]

NEVER_AGAIN: Final = frozenset({"NonRetryableError", "InvalidTransitionError", "WorkerLostError"})
"""Errors that no policy retries."""

_LONGEST_S: Final = 36_525 * 86_400.0


class RetryPolicy(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """When a failed attempt is repeated: after growing delays, until something is exhausted.

    The n-th delay is ``initial_delay_s * multiplier ** (n - 1)``, at most ``max_delay_s``, less a random part of it. What is
    counted and timed is stored with the instance, so a restart begins nothing anew. Attempts that were lost with their worker
    do not count: they are repeated in any case.

    Attributes:
        max_attempts: Most attempts, the first included; 0 for any number.
        initial_delay_s: Seconds before the second attempt.
        multiplier: By how much each delay is longer than the one before.
        max_delay_s: Longest delay in seconds.
        jitter: Largest part of a delay that chance may take away, 0 to 1, so that steps that failed together do not come back together.
        max_elapsed_s: Seconds from the entry of the step after which no attempt begins any more.
        non_retryable: Errors that are final: names of exception classes, with or without their module; those of a base class count.
    """

    max_attempts: int = 3
    initial_delay_s: float = 1.0
    multiplier: float = 2.0
    max_delay_s: float = 300.0
    jitter: float = 0.25
    max_elapsed_s: float | None = None
    non_retryable: tuple[str, ...] = ()

    def delay_s(self, *, failures: int, elapsed_s: float, errors: Collection[str], chance: float) -> float | None:
        """Seconds until the next attempt.

        Args:
            failures: Failed attempts, the last one included.
            elapsed_s: Seconds since the step was entered.
            errors: Names of the classes of the last error, its bases included.
            chance: A random number from 0 to 1.

        Returns:
            The delay; None if there is no next attempt.
        """
        if self.max_attempts and failures >= self.max_attempts:
            return None
        if not NEVER_AGAIN.isdisjoint(errors) or any(name in errors for name in self.non_retryable):
            return None
        try:
            whole = min(self.initial_delay_s * self.multiplier ** (failures - 1), self.max_delay_s, _LONGEST_S)
        except OverflowError:
            whole = min(self.max_delay_s, _LONGEST_S)
        delay = whole * (1.0 - self.jitter * chance)
        if self.max_elapsed_s is not None and elapsed_s + delay > self.max_elapsed_s:
            return None
        return delay
