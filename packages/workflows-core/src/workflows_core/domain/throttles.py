"""How many executions of a step may run at once, and how many may begin in a time."""

from __future__ import annotations

from datetime import timedelta

import msgspec

__all__ = ["ConcurrencyLimit", "RateLimit"]


class ConcurrencyLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """At most so many at once, in all instances, tenants, workers and processes.

    Attributes:
        limit: How many, at least 1.
        key: Key of the instance's data whose value divides the limit: so many for each value. A missing key is one value too.
        name: What is limited: all limits of one name share their slots. By default the step of its workflow.
    """

    limit: int
    key: str | None = None
    name: str | None = None


class RateLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """At most so many begin in a time, in all instances, tenants, workers and processes.

    After a pause so many may begin at once; then one more each time that ``per / limit`` has passed. Each attempt counts.

    Attributes:
        limit: How many, at least 1.
        per: In which time.
        key: Key of the instance's data whose value divides the limit: so many for each value. A missing key is one value too.
        name: What is limited: all limits of one name share it. By default the step of its workflow.
    """

    limit: int
    per: timedelta
    key: str | None = None
    name: str | None = None
