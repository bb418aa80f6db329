"""dishka providers for the workflows engine and injection into steps."""

from __future__ import annotations
