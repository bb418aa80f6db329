"""What this process has lately written of instances, for those who decide on something older."""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

from workflows_core.domain.state import InstanceState
from workflows_core.engine.folds import Line

__all__ = ["Known", "Recent"]

_MOST: Final = 64
"""Instances that are kept: those of which a claim may be under way that was answered before they were written."""
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


class Recent:
    """The last instances that were written here.

    Work that is claimed while the instance is being written comes with a state that is older than what is stored a moment later. Whoever
    decides on that is refused, and has to read the instance again; here is what would be read.
    """

    def __init__(self) -> None:
        self._known: dict[UUID, Known] = {}

    def take(self, seen: InstanceState) -> Known | None:
        """What somebody knows, or what is known here if that is newer.

        It is kept no longer: whoever succeeds with it keeps what is written then. If the store refuses, it was wrong, be it that others
        wrote the instance, or that a database was replaced by a copy that lags behind; then nobody is to be given it again.

        Args:
            seen: The state that somebody knows.

        Returns:
            None if what is known here is newer, but lacks items that somebody knows and that may have changed since.
        """
        known = self._known.pop(seen.id, None)
        if known is None or known.state.revision < seen.revision:
            return Known(seen, Line(seen.revision))
        if known.state.revision == seen.revision:
            return Known(seen, known.line)
        joined = known.line.joined(known.state, seen)
        return None if joined is None else Known(joined, known.line)

    def keep(self, state: InstanceState, line: Line) -> None:
        """Keep what was written, instead of what was kept longest if that is too much."""
        self._known.pop(state.id, None)
        if state.status.is_final:
            return
        self._known[state.id] = Known(state, line if line.length <= _LONGEST else Line(state.revision))
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
