"""What is SQLite's own: one writer at a time, who waits for the others, and a clock that is this computer's."""

from __future__ import annotations
