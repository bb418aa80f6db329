"""Who does something."""

from __future__ import annotations

import msgspec

__all__ = ["SYSTEM", "Actor"]


class Actor(msgspec.Struct, frozen=True):
    """A person or a program that acts on instances and tasks.

    Attributes:
        id: Stable identifier, as it stands in assignments and in the audit trail.
        groups: Groups that the actor is a member of.
        roles: Roles that the application gives the actor.
        tenant: Tenant that bounds what the actor sees; the empty string is "no tenant".
    """

    id: str
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    tenant: str = ""


SYSTEM = Actor("system")
"""The engine itself, where no person or program asked."""
