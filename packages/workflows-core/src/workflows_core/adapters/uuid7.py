"""Identities that ascend in time."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

from workflows_core.ports.ids import IdGenerator

__all__ = ["Uuid7Generator"]


class Uuid7Generator(IdGenerator):
    """Version-7 UUIDs: a time in milliseconds, a counter within it, and chance; ascending within a process."""

    __slots__ = ()

    def new(self) -> UUID:
        return uuid7()
