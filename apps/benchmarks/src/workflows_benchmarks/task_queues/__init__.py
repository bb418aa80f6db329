"""Task queues, each with the chain of empty jobs that it is measured by and the worker that runs workflows."""

from __future__ import annotations
