"""What is to be called after the commit of a session, and never after a rollback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

__all__ = ["Action", "Callbacks", "Deliver"]

Action: TypeAlias = Callable[[], Awaitable[None]]
Deliver: TypeAlias = Callable[[Sequence[Action]], None]

_KEY: Final = "workflows.callbacks"


class Callbacks:
    """Follows a session through its savepoints and transactions.

    Each action belongs to the savepoint, or else to the transaction, in which it was given: it is lost with it, and goes over to what
    is around it when a savepoint is released.
    """

    def __init__(self, session: Session, deliver: Deliver) -> None:
        """Begin to follow a session.

        Args:
            session: The session.
            deliver: Takes the actions of a transaction that was committed, in the order in which they were given.
        """
        self._deliver = deliver
        self._actions: list[tuple[SessionTransaction, Action]] = []
        session.info[_KEY] = self
        event.listen(session, "after_commit", self._committed)
        event.listen(session, "after_transaction_end", self._ended)

    @classmethod
    def of(cls, session: Session) -> Callbacks | None:
        """What follows this session already."""
        found: Callbacks | None = session.info.get(_KEY)
        return found

    def add(self, session: Session, action: Action) -> None:
        """Call an action once what the session writes now has been committed; the session must be in a transaction."""
        transaction = session.get_nested_transaction() or session.get_transaction()
        if transaction is None:
            msg = "the session is in no transaction"
            raise RuntimeError(msg)
        self._actions.append((transaction, action))

    def _committed(self, session: Session) -> None:
        """A savepoint was released, or the transaction was committed."""
        released = session.get_nested_transaction()
        if released is None:
            actions = [action for _, action in self._actions]
            self._actions.clear()
            self._deliver(actions)
            return
        around = released.parent
        self._actions = [
            (around if owner is released and around is not None else owner, action) for owner, action in self._actions
        ]

    def _ended(self, _session: Session, transaction: SessionTransaction) -> None:
        """What still belongs to a transaction or savepoint at its end was not committed."""
        self._actions = [(owner, action) for owner, action in self._actions if owner is not transaction]
