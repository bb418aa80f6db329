"""How workflows are written: classes, decorators and data, all compiled to one graph."""

from __future__ import annotations
