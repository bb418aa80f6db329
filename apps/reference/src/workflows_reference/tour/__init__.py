"""The guided tour: drives the demo over HTTP as its people would, and compares every answer with what it should be."""

from __future__ import annotations
