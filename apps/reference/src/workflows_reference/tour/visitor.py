"""Somebody who talks to the demo over HTTP, and the narrator who says what is seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import httpx

__all__ = ["API", "Narrator", "TourFailedError", "Visitor"]

T = TypeVar("T")

API: Final = "/workflows/api"
_WAIT_S: Final = 30.0
_PAUSE_S: Final = 0.05


class TourFailedError(Exception):
    """Raised when the demo answers otherwise than it should; says what was expected and what came."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(what, expected, found)
        self.what = what
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected!r}, found {self.found!r}"


class Narrator:
    """Prints the steps of the tour, and compares.

    Args:
        write: Prints one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._number = 0
        self.checks = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self._number += 1
        self._write(f"\n{self._number:2}. {title}")

    def check(self, what: str, expected: object, found: object) -> None:
        """Compare.

        Raises:
            TourFailedError: They differ.
        """
        if expected != found:
            self._write(f"    DIFFERS  {what}")
            raise TourFailedError(what, expected, found)
        self.checks += 1
        self._write(f"    ok  {what}: {_short(found)}")

    def holds(self, what: str, found: object, *, because: bool) -> None:
        """Check something that is more than an equality.

        Raises:
            TourFailedError: It does not hold.
        """
        if not because:
            self._write(f"    DIFFERS  {what}")
            raise TourFailedError(what, "that it holds", found)
        self.checks += 1
        self._write(f"    ok  {what}")


class Visitor:
    """One person, or nobody, in front of the demo.

    Args:
        client: Talks to the server.
        narrator: Is told of each answer.
        name: Who it is; empty is nobody.
    """

    def __init__(self, client: httpx.AsyncClient, narrator: Narrator, name: str = "") -> None:
        self.name = name
        self._client = client
        self._narrator = narrator
        self._headers: dict[str, str] = {}

    async def log_in(self, password: str) -> None:
        """Get a token."""
        answer = await self.post("/login", {"username": self.name, "password": password}, expect=200)
        self._headers = {"authorization": f"Bearer {answer['token']}"}

    async def get(self, path: str, *, expect: int = 200, **parameters: str) -> Any:
        """Read something."""
        response = await self._client.get(path, params=parameters, headers=self._headers)
        return self._read(f"{self.name or 'nobody'}: GET {path}", response, expect)

    async def post(
        self, path: str, body: Mapping[str, Any], *, expect: int, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Change something."""
        response = await self._client.post(path, json=body, headers={**self._headers, **(headers or {})})
        return self._read(f"{self.name or 'nobody'}: POST {path}", response, expect)

    async def start(
        self, workflow: str, data: Mapping[str, Any], *, key: str | None = None, expect: int = 201
    ) -> dict[str, Any]:
        """Start an instance."""
        body = {"workflow_name": workflow, "initial_data": data}
        headers = {"idempotency-key": key} if key is not None else None
        started: dict[str, Any] = await self.post(f"{API}/instances", body, expect=expect, headers=headers)
        return started

    async def complete(
        self, task: Mapping[str, Any], form: Mapping[str, Any], *, comment: str | None = None, expect: int = 200
    ) -> Any:
        """Complete a task."""
        return await self.post(
            f"{API}/tasks/{task['id']}/complete", {"form_data": form, "comment": comment}, expect=expect
        )

    async def instance(self, instance_id: str) -> dict[str, Any]:
        """An instance as it stands; says nothing."""
        response = await self._client.get(f"{API}/instances/{instance_id}", headers=self._headers)
        if response.status_code != httpx.codes.OK:
            raise TourFailedError(f"instance {instance_id}", 200, response.status_code)
        found: dict[str, Any] = response.json()
        return found

    async def task(self, instance_id: str, step: str) -> dict[str, Any]:
        """Wait until this person finds an open task of a step in the list of tasks.

        Raises:
            TourFailedError: It does not come.
        """

        async def look() -> dict[str, Any] | None:
            response = await self._client.get(
                f"{API}/tasks", params={"mine": "true", "instance_id": instance_id}, headers=self._headers
            )
            tasks = response.json()["items"] if response.is_success else []
            return next((task for task in tasks if task["step_name"] == step), None)

        found = await _until(look)
        if found is None:
            raise TourFailedError(f"a task {step!r} for {self.name}", "an open task", await self.instance(instance_id))
        self._narrator.holds(f"{self.name} has the task “{found['title']}”", found, because=True)
        return found

    async def outcome(self, instance_id: str, *statuses: str) -> dict[str, Any]:
        """Wait until an instance has one of these statuses.

        Raises:
            TourFailedError: It does not get there.
        """

        async def look() -> dict[str, Any] | None:
            found = await self.instance(instance_id)
            return found if found["status"] in statuses else None

        found = await _until(look)
        if found is None:
            raise TourFailedError(f"status of {instance_id}", statuses, await self.instance(instance_id))
        self._narrator.check("the instance is", found["status"], found["status"])
        return found

    def _read(self, what: str, response: httpx.Response, expect: int) -> Any:
        if response.status_code != expect:
            raise TourFailedError(what, expect, f"{response.status_code} {response.text[:500]}")
        self._narrator.check(what, expect, response.status_code)
        is_json = "json" in response.headers.get("content-type", "")
        return response.json() if is_json else response.text


async def _until(look: Callable[[], Awaitable[T | None]]) -> T | None:
    """Look until something is found; None after `_WAIT_S`. A server that is being started again meanwhile is waited for."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            found = await look()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            found = None
        if found is not None or time.monotonic() > deadline:
            return found
        await asyncio.sleep(_PAUSE_S)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
