"""Benchmarks of workflows beside the raw database in the same run."""

from __future__ import annotations
