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
    """The file of effects. What was read once is not read again, so a look costs the same after minutes of chaos.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._found: list[Effect] = []
        self._inside: dict[tuple[str, int], int] = {}

    def all(self) -> list[Effect]:
        """Every line, oldest first; none that its writer did not finish."""
        self._read_on()
        return self._found

    def begun(self) -> dict[str, list[Effect]]:
        """The runs of each execution that have begun, by its key."""
        return self._runs("begin")

    def ended(self) -> dict[str, list[Effect]]:
        """The runs of each execution that came to their end, by its key."""
        return self._runs("end")

    def under_way(self) -> set[int]:
        """The processes that are inside a step at present."""
        self._read_on()
        return set(self._inside.values())

    def _runs(self, phase: str) -> dict[str, list[Effect]]:
        found: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.all():
            if effect.phase == phase:
                found[effect.key].append(effect)
        return found

    def _read_on(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            lines, end, _ = file.read().rpartition(b"\n")
        self._read += len(lines) + len(end)
        for line in lines.splitlines():
            if line.endswith(b"}"):
                self._take(Effect(**json.loads(line)))

    def _take(self, effect: Effect) -> None:
        self._found.append(effect)
        if effect.phase == "begin":
            self._inside[effect.key, effect.attempt] = effect.pid
        else:
            self._inside.pop((effect.key, effect.attempt), None)
