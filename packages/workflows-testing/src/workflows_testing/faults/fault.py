"""What all faults have in common: the calls that they can befall."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["Fault"]


class Fault:
    """Something that goes wrong with one call.

    Attributes:
        methods: Names of the methods that it can befall.
    """

    methods: ClassVar[frozenset[str]]
