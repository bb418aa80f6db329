"""What goes over the wire: request bodies and response bodies, apart."""

from __future__ import annotations
