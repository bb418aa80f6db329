"""Durable human-and-machine workflows: kernel, authoring API, ports and engine."""

from __future__ import annotations
