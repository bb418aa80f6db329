"""SQLAlchemy store for workflows: SQLite and PostgreSQL."""

from __future__ import annotations
