"""What operators see, across tenants."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

__all__ = ["StalledDTO", "StatsDTO"]


class StatsDTO(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is of what."""

    instances: Annotated[
        dict[str, int], Meta(description="Instances by status, all statuses named.", examples=[{"running": 2}])
    ]
    total_instances: int
    dead_letters: Annotated[int, Meta(description="Instances that wait for an operator.")]
    open_tasks: Annotated[int, Meta(description="Human tasks that wait for somebody.")]
    overdue_tasks: Annotated[int, Meta(description="Those of them whose due date has passed.")]


class StalledDTO(msgspec.Struct, frozen=True, kw_only=True):
    """Instances that nothing would ever move again; always none, or there is a fault to be reported."""

    instance_ids: list[UUID]
