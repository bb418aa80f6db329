"""Conformance kits, fault wrappers, virtual clock and real servers for testing workflows."""

from __future__ import annotations
