"""What this process has just written of instances, for those who decide on something older."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple
from uuid import UUID

from workflows_core.domain.state import InstanceState
from workflows_core.engine.folds import Line

__all__ = ["Known", "Recent"]

_KEPT_S: Final = 1.0
"""Seconds for which an instance is kept: longer than a claim is under way, and shorter than a database takes to be replaced."""
_MOST: Final = 64
"""Instances that are kept."""
_LONGEST: Final = 1_000
"""Writes of items in a line; a longer one is begun anew."""


class Known(NamedTuple):
    """An instance, as this process has read or written it last.

    Attributes:
        state: Its state.
        line: What led there.
    """

    state: InstanceState
    line: Line


class _Kept(NamedTuple):
    known: Known
    until: float


class Recent:
    """The instances that were written here a moment ago.

    Work that is claimed while the instance is being written comes with a state that is older than what is stored a moment later. Whoever
    decides on that is refused, and has to read the instance again; here is what would be read. It is kept for a moment only: as long as
    claims are under way that began before, and not for so long that the database may be another one, which lost what was written.
    Of items nothing is kept: whoever decides about one knows it.
    """

    def __init__(self) -> None:
        self._kept: dict[UUID, _Kept] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def take(self, seen: InstanceState) -> Known | None:
        """What somebody knows, or what is known here if that is newer.

        It is kept no longer: whoever succeeds with it keeps what is written then, and if the store refuses it, nobody is given it again.

        Args:
            seen: The state that somebody knows.

        Returns:
            None if what is known here is newer, but lacks items that somebody knows and that may have changed since.
        """
        kept = self._kept.pop(seen.id, None)
        if kept is None or kept.until <= asyncio.get_running_loop().time():
            return Known(seen, Line(seen.revision))
        state, line = kept.known
        if state.revision < seen.revision:
            return Known(seen, Line(seen.revision))
        if state.revision == seen.revision:
            return Known(seen, line)
        joined = line.joined(state, seen)
        return None if joined is None else Known(joined, line)

    def keep(self, state: InstanceState, line: Line) -> None:
        """Keep what was written, instead of what was kept longest if that is too much."""
        self._kept.pop(state.id, None)
        if state.status.is_final:
            return
        known = Known(state.without_items(), line if line.length <= _LONGEST else Line(state.revision))
        loop = asyncio.get_running_loop()
        self._kept[state.id] = _Kept(known, loop.time() + _KEPT_S)
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(_KEPT_S, self._forget_old)

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()

    def _forget_old(self) -> None:
        """Forget what is too old; again later, as long as there is anything."""
        loop = asyncio.get_running_loop()
        while self._kept and (first := next(iter(self._kept.values()))).until <= loop.time():
            del self._kept[first.known.state.id]
        if self._kept:
            loop.call_later(_KEPT_S, self._forget_old)
        else:
            self._loop = None
