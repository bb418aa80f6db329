"""One thing that is wrong with a definition."""

from __future__ import annotations

import msgspec

__all__ = ["Problem"]


class Problem(msgspec.Struct, frozen=True):
    """A fault or a doubt about a workflow definition.

    Attributes:
        code: Stable identifier of the kind of problem, for programs.
        where: The step or edge, as a reader of the definition would name it.
        message: What is wrong.
        mend: How to put it right.
        is_warning: Whether the definition can run in spite of it.
    """

    code: str
    where: str
    message: str
    mend: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.message}; {self.mend}"
