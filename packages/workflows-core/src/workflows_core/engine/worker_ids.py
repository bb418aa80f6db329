"""What a worker is called in the store."""

from __future__ import annotations

import os
import secrets
import socket

__all__ = ["new_worker_id"]


def new_worker_id() -> str:
    """Unique for each start of a worker, so that a restarted process is never taken for the one before."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"
