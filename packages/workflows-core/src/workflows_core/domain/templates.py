"""Titles and descriptions with places for data: ``Approve {order.amount}``. Nothing but look-ups, so nothing to attack."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["render", "template_names"]

_PLACE: Final = re.compile(r"\{([A-Za-z_][\w.]*)\}")


def template_names(template: str) -> frozenset[str]:
    """Data keys that a template reads."""
    return frozenset(match.group(1).partition(".")[0] for match in _PLACE.finditer(template))


def render(template: str, lookup: Callable[[str], Any]) -> str:
    """Fill a template; what is absent becomes empty.

    Args:
        template: Text with places such as ``{name}`` and ``{order.amount}``.
        lookup: Gives the value of a data key, None if it is absent.
    """

    def place(match: re.Match[str]) -> str:
        head, _, rest = match.group(1).partition(".")
        value = lookup(head)
        for part in rest.split(".") if rest else ():
            value = value.get(part) if isinstance(value, Mapping) else None
        return "" if value is None else str(value)

    return _PLACE.sub(place, template)
