"""Working inside transactions that belong to sessions: of the application's own, and of steps."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from workflows_core.authoring.context import WorkflowContext

__all__ = ["session_of"]


def session_of(context: WorkflowContext) -> AsyncSession:
    """The session of a transactional step, with its type.

    Raises:
        NoSessionError: The step is not transactional.
        TypeError: The store is not one of this package.
    """
    session = context.session
    if not isinstance(session, AsyncSession):
        msg = f"the session of step {context.current_step!r} is a {type(session).__name__}, not an AsyncSession"
        raise TypeError(msg)
    return session
