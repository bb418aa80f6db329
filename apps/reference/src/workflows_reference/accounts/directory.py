"""The people of the demo in the database."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_reference.accounts.passwords import UNUSABLE, hash_password, verify_password
from workflows_reference.accounts.people import DEMO_PASSWORD, DEMO_USERS, User
from workflows_reference.records import insert_missing
from workflows_reference.tables import users

__all__ = ["UserDirectory"]


class UserDirectory:
    """Finds people and checks their passwords.

    Args:
        engine: The database.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, user_id: str) -> User | None:
        """A user; None if there is none of that name."""
        row = await self._row(user_id)
        return None if row is None else _user(row)

    async def authenticate(self, user_id: str, password: str) -> User | None:
        """The user, if the password is right; takes as long for names that nobody has."""
        row = await self._row(user_id)
        stored = UNUSABLE if row is None else row["password_hash"]
        is_right = await asyncio.to_thread(verify_password, password, stored)
        return _user(row) if is_right and row is not None else None

    async def manager_of(self, user_id: str) -> str | None:
        """Id of somebody's manager; None if there is none."""
        user = await self.find(user_id)
        return None if user is None else user.manager

    async def seed(self) -> int:
        """Write the demo's people if there is nobody yet.

        Returns:
            How many were written.
        """
        async with self._engine.connect() as connection:
            if (await connection.execute(select(users.c.id).limit(1))).first() is not None:
                return 0
        # One hash for all: they share the demo's one password, and hashing it eight times would only slow the start.
        password_hash = await asyncio.to_thread(hash_password, DEMO_PASSWORD)
        rows = [
            {
                "id": user.id,
                "name": user.name,
                "job": user.job,
                "manager": user.manager,
                "groups": list(user.groups),
                "roles": list(user.roles),
                "tenant_id": user.tenant_id,
                "password_hash": password_hash,
            }
            for user in DEMO_USERS
        ]
        return await insert_missing(self._engine, users, rows)

    async def _row(self, user_id: str) -> dict[str, Any] | None:
        async with self._engine.connect() as connection:
            found = (await connection.execute(select(users).where(users.c.id == user_id))).mappings().first()
        return None if found is None else dict(found)


def _user(row: dict[str, Any]) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        job=row["job"],
        manager=row["manager"],
        groups=tuple(row["groups"]),
        roles=tuple(row["roles"]),
        tenant_id=row["tenant_id"],
    )
