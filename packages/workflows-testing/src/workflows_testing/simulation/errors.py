"""What a simulation has to complain about."""

from __future__ import annotations

__all__ = ["SimulationError", "SimulationFailure"]


class SimulationError(RuntimeError):
    """Raised when a simulation cannot go on: nothing will ever happen again, it does not come to an end, or code wants real I/O."""


class SimulationFailure(AssertionError):  # noqa: N818 - the failure of a test, as pytest calls it
    """Raised when a simulation found something wrong; says what, under which seed, and how to see it again.

    Attributes:
        violations: What is wrong, in words.
    """

    def __init__(self, title: str, violations: list[str], *, repeat: str = "", trace: str = "") -> None:
        """Describe a failure.

        Args:
            title: What was simulated.
            violations: What is wrong, in words.
            repeat: The command that does the same again.
            trace: The last calls of the store.
        """
        super().__init__(title, violations)
        self.title = title
        self.violations = violations
        self.repeat = repeat
        self.trace = trace

    def __str__(self) -> str:
        lines = [self.title, *(f"  - {violation}" for violation in self.violations)]
        if self.repeat:
            lines.append(f"again: {self.repeat}")
        if self.trace:
            lines.append(f"the last calls of the store:\n{self.trace}")
        return "\n".join(lines)
