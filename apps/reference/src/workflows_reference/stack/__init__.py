"""Everything on one machine for trying: servers, the web process and workers, each a process of its own."""

from __future__ import annotations
