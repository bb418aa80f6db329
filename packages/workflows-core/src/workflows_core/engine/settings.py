"""What can be set about an engine."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EngineSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Limits, times and secrets of an engine; the defaults suit most applications."""

    secret: bytes | None = None
    """Signs webhook addresses. Must be the same in every process and after every restart; None forbids webhook addresses."""

    public_url: str = ""
    """Address under which the outside reaches the REST API, without a slash at its end, for `webhook_url`."""

    max_data_bytes: int = 4 * 1024 * 1024
    """Most bytes of an instance's encoded data; what would exceed it is refused before the commit."""

    lease_s: float = 15.0
    """Seconds after which a worker that has died or frozen loses its work to others."""

    poll_s: float = 1.0
    """Most seconds between two looks into the store, should a hint be lost."""

    max_steps_in_a_row: int = 64
    """Steps of one instance that a worker runs before it lets others have their turn."""

    max_seconds_in_a_row: float = 1.0
    """Seconds after which the same happens."""

    max_crashes: int = 5
    """How many workers a step may cost in a row (they died, or froze past their lease) before it fails instead of being begun again."""

    max_conflicts: int = 64
    """How often a request is decided anew because its instance changed meanwhile, before it is refused."""

    admin_roles: frozenset[str] = frozenset({"admin"})
    """Roles whose holders may act on every task of their tenant."""

    def is_last_chance(self, crashes: int) -> bool:
        """Whether a step that has cost so many workers fails with the next one, and was begun before."""
        return 0 < crashes == self.max_crashes - 1
