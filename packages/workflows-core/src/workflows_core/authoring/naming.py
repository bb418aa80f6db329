"""Names that follow from other names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["joined_name", "snake_case"]

_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LONGEST: Final = 80


def snake_case(class_name: str, suffix: str) -> str:
    """The snake_case name of a class, without ``Base`` before it and ``suffix`` after it."""
    stem = class_name.strip("_")
    stem = stem.removeprefix("Base") or stem
    stem = stem.removesuffix(suffix) or stem
    return _WORD_START.sub("_", stem).lower()


def joined_name(prefix: str, members: Iterable[str]) -> str:
    """The name of a group without one: its kind and its members, or only the outer ones where that gets too long."""
    names = list(members)
    name = "_".join((prefix, *names))
    return name if len(name) <= _LONGEST or len(names) < 3 else f"{prefix}_{names[0]}_to_{names[-1]}"
