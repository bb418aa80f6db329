"""Workflows on SQLite and PostgreSQL, through SQLAlchemy.

`PersistentExecutionEngine` is the one-liner; `create_store` gives the store and the queries for another wiring. The tables are made by
`upgrade`, or by ``workflows database upgrade``. For your own queries there are ORM classes in `workflows_sqlalchemy.models` and
repositories over them in `workflows_sqlalchemy.repositories`.
"""

from __future__ import annotations

from workflows_sqlalchemy.config import SQLAlchemyStoreConfig, StoreAndQueries, create_store
from workflows_sqlalchemy.models import (
    HumanTaskModel,
    StepExecutionModel,
    WorkflowDefinitionModel,
    WorkflowInstanceModel,
)
from workflows_sqlalchemy.persistent import PersistentExecutionEngine
from workflows_sqlalchemy.queries import SQLAlchemyWorkflowQueries
from workflows_sqlalchemy.repositories import (
    HumanTaskRepository,
    StepExecutionRepository,
    WorkflowDefinitionRepository,
    WorkflowInstanceRepository,
)
from workflows_sqlalchemy.schema import downgrade, upgrade
from workflows_sqlalchemy.sessions import session_of
from workflows_sqlalchemy.sessions.transactions import SQLAlchemyTransactions
from workflows_sqlalchemy.store import SQLAlchemyWorkflowStore

__all__ = [
    "HumanTaskModel",
    "HumanTaskRepository",
    "PersistentExecutionEngine",
    "SQLAlchemyStoreConfig",
    "SQLAlchemyTransactions",
    "SQLAlchemyWorkflowQueries",
    "SQLAlchemyWorkflowStore",
    "StepExecutionModel",
    "StepExecutionRepository",
    "StoreAndQueries",
    "WorkflowDefinitionModel",
    "WorkflowDefinitionRepository",
    "WorkflowInstanceModel",
    "WorkflowInstanceRepository",
    "create_store",
    "downgrade",
    "session_of",
    "upgrade",
]
