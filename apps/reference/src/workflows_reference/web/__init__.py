"""The demo's own pages and routes, beside those of the plugin."""

from __future__ import annotations
