"""Values and rules of workflows: pure, without input, output, clock or chance."""

from __future__ import annotations
