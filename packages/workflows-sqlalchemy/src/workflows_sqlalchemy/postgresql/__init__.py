"""What is PostgreSQL's own: one statement for each batch of transitions, and one for each claim."""

from __future__ import annotations
