"""Identities that follow from others, so that deciding twice gives the same ones."""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

__all__ = ["task_id"]

_VERSION_8 = 0x8 << 76
_VARIANT = 0x2 << 62
_CLEARED = ~((0xF << 76) | (0x3 << 62))


def task_id(instance_id: UUID, execution: int, round_: int = 0) -> UUID:
    """Identity of the task that a step execution opens, each time that it is opened anew: a version-8 UUID."""
    content = instance_id.bytes + execution.to_bytes(8, "big")
    if round_:
        content += round_.to_bytes(4, "big")
    digest = blake2b(content, digest_size=16, person=b"workflows-task")
    return UUID(int=(int.from_bytes(digest.digest(), "big") & _CLEARED) | _VERSION_8 | _VARIANT)
