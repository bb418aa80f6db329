"""Conformance kits, a clock that tests move, and real servers for testing workflows."""

from __future__ import annotations
