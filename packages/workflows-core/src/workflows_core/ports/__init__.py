"""What the engine needs from outside, as protocols: one module for each port."""

from __future__ import annotations
