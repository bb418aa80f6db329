"""Workflows on SQLite and PostgreSQL, through SQLAlchemy."""

from __future__ import annotations

from workflows_sqlalchemy.config import SQLAlchemyStoreConfig, StoreAndQueries, create_store
from workflows_sqlalchemy.queries import SQLAlchemyWorkflowQueries
from workflows_sqlalchemy.store import SQLAlchemyWorkflowStore

__all__ = [
    "SQLAlchemyStoreConfig",
    "SQLAlchemyWorkflowQueries",
    "SQLAlchemyWorkflowStore",
    "StoreAndQueries",
    "create_store",
]
