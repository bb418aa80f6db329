"""Which seeds are tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Seeds"]


@dataclass(frozen=True, slots=True)
class Seeds:
    """A range of seeds, and the command that tries one of them again.

    Attributes:
        first: The first seed.
        count: How many seeds.
        command: The command, with ``{seeds}`` where the range stands.
    """

    first: int
    count: int
    command: str = ""

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.first + self.count))

    def __len__(self) -> int:
        return self.count

    def repeat(self, seed: int) -> str:
        """The command that tries one seed again."""
        return self.command.replace("{seeds}", f"{seed}:{seed + 1}")

    @classmethod
    def parse(cls, text: str, command: str = "") -> Seeds:
        """Read ``300`` (300 seeds from 0) or ``5000:6000`` (from the first to before the second).

        Raises:
            ValueError: The text is neither.
        """
        first, colon, last = text.partition(":")
        try:
            low, high = (int(first), int(last)) if colon else (0, int(text))
        except ValueError:
            low, high = 0, -1
        if not 0 <= low <= high:
            msg = f"seeds are given as a number (300) or as a range (5000:6000), not as {text!r}"
            raise ValueError(msg)
        return cls(low, high - low, command)
