"""What can keep the demo from starting."""

from __future__ import annotations

__all__ = ["DemoStartError"]


class DemoStartError(Exception):
    """Raised when the demo cannot start; fields: what is not possible, why, and how to mend it."""

    def __init__(self, what: str, reason: str, mend: str) -> None:
        super().__init__(what, reason, mend)
        self.what = what
        self.reason = reason
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}; {self.mend}"
