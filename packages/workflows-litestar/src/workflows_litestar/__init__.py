"""Litestar plugin for workflows: REST API, server-sent events, OpenAPI, guards and commands."""

from __future__ import annotations
