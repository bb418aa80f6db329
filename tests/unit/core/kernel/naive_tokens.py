"""What the naive model moves: tokens in areas. A path names a step execution: the steps around it and itself, each with its visit, and
the item for the inside of a ``ForEach``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workflows_core.domain.types import Outcome

Path = tuple[tuple[str, int, int], ...]


@dataclass(eq=False)
class Area:
    """The inside of the instance, of a group or of an item."""

    number: int
    holder: Tok | None = None
    index: int = -1
    toks: list[Tok] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    visits: Counter[str] = field(default_factory=Counter)
    results: dict[str, Any] = field(default_factory=dict)
    one_has_ended: bool = False

    @property
    def path(self) -> Path:
        if self.holder is None:
            return ()
        return (*self.holder.area.path, (self.holder.node, self.holder.visit, self.index))

    def with_inner(self) -> Iterator[Area]:
        """This one and all inside it."""
        yield self
        for tok in self.toks:
            for inner in tok.inside:
                yield from inner.with_inner()

    def see(self, key: str) -> Any:
        """The value of a key here, else around."""
        area = self
        while key not in area.data and area.holder is not None:
            area = area.holder.area
        return area.data.get(key)

    def put_entry(self, key: str, name: str, value: Any) -> None:
        """Set one entry of the mapping at a key."""
        known = self.see(key)
        self.data[key] = {**(known if isinstance(known, dict) else {}), name: value}


@dataclass(eq=False)
class Tok:
    """A token: ``stage`` says for what it waits."""

    node: str
    area: Area
    via: int
    stage: str = "join"
    visit: int = 0
    inside: list[Area] = field(default_factory=list)
    to_start: list[Any] = field(default_factory=list)
    item_results: dict[int, Any] = field(default_factory=dict)
    outcome: Outcome = Outcome.SUCCESS

    @property
    def path(self) -> Path:
        return (*self.area.path, (self.node, self.visit, -1))


@dataclass(frozen=True)
class Ways:
    """What a worker says about the ways out; None: it was not asked."""

    truths: dict[int, bool] | None = None
    route: tuple[str, ...] | None = None


NO_WAYS = Ways()
