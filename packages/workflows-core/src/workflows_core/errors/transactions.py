"""Errors about transactions that an application shares with the store."""

from __future__ import annotations

from workflows_core.errors.execution import InfrastructureError, StepExecutionError
from workflows_core.errors.root import WorkflowsError

__all__ = [
    "SessionRefusedError",
    "TransactionAbortedError",
    "TransactionError",
    "TransactionOpenError",
    "TransactionTimeoutError",
    "TransactionsNotSupportedError",
]


class TransactionError(WorkflowsError):
    """The program shares a transaction with the store that cannot be shared."""


class TransactionsNotSupportedError(TransactionError):
    """Raised when a step or a call wants to share a transaction, and the store has none; `store` is its class."""

    def __init__(self, store: str) -> None:
        super().__init__(store)
        self.store = store

    def __str__(self) -> str:
        return (
            f"{self.store} has no transactions that an application could share; transactional steps and `session=` need a store on "
            "SQLite or PostgreSQL, from workflows_sqlalchemy"
        )


class SessionRefusedError(TransactionError):
    """Raised when ``session=`` is no session, or leads to something else than the store; nothing was read or written."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason, mend)
        self.reason = reason
        self.mend = mend

    def __str__(self) -> str:
        return f"the store cannot work inside this session: {self.reason}; {self.mend}"


class TransactionOpenError(TransactionError):
    """Raised instead of waiting for ever: the caller itself keeps a transaction open that the store would wait for."""

    def __init__(self, database: str) -> None:
        super().__init__(database)
        self.database = database

    def __str__(self) -> str:
        return (
            f"this call would wait for a transaction that its own caller keeps open in {self.database}: give the session to the "
            "engine (`session=…`), or call the engine after the commit"
        )


class TransactionTimeoutError(StepExecutionError):
    """Raised in a transactional step that keeps a transaction open for too long while all others wait; nothing of it was kept."""

    def __init__(self, step: str, seconds: float) -> None:
        super().__init__(step, "")
        self.args = (step, seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return (
            f"step {self.step!r}: its transaction was open for more than {self.seconds:g} seconds, in which nobody else could write; "
            "do what is slow in a step before it, or raise the limit of the store (`longest_transaction_s`)"
        )


class TransactionAbortedError(InfrastructureError):
    """Raised when the database gives a transaction up in favour of another one; nothing of it remains, the same again may succeed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"another transaction was in the way: {self.reason}; roll back, and do the whole transaction again"
