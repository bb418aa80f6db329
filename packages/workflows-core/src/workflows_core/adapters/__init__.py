"""Adapters that need nothing but the core: memory, the local process, the system clock."""

from __future__ import annotations
