"""The use cases: start, run, complete, cancel …; they know only ports, authoring and domain."""

from __future__ import annotations
