"""What the steps did, as they wrote it down themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple


class Effect(NamedTuple):
    """One line of the file."""

    key: str
    step: str
    attempt: int
    pid: int
    phase: str
    at: float


class Effects:
    """The file of effects.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[Effect]:
        """Every line, oldest first; none that its writer did not finish."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [Effect(**json.loads(line)) for line in lines if line.endswith("}")]

    def begun(self) -> dict[str, list[Effect]]:
        """The runs of each execution that have begun, by its key."""
        found: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.all():
            if effect.phase == "begin":
                found[effect.key].append(effect)
        return found

    def ended(self) -> dict[str, list[Effect]]:
        """The runs of each execution that came to their end, by its key."""
        found: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.all():
            if effect.phase == "end":
                found[effect.key].append(effect)
        return found

    def under_way(self) -> set[int]:
        """The processes that are inside a step at present."""
        inside: dict[tuple[str, int], int] = {}
        for effect in self.all():
            if effect.phase == "begin":
                inside[effect.key, effect.attempt] = effect.pid
            else:
                inside.pop((effect.key, effect.attempt), None)
        return set(inside.values())
