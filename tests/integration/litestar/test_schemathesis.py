"""What the OpenAPI document says is what the routes do, for requests that nobody thought of."""

from __future__ import annotations
