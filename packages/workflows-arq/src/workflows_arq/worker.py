"""ARQ's worker as a host of workflows."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final

from arq.worker import Function, func

from workflows_arq.executor import FUNCTION
from workflows_arq.patience import Patience
from workflows_arq.signals import overhear
from workflows_core.engine.hosting import WorkerHost

__all__ = ["ARQWorkerHost"]

_TIMEOUT_S: Final = 120
"""Much more than an answer takes. When it is over, ARQ takes its worker for dead, and gives the hint to another one."""
_LAST_WORDS_S: Final = 2
"""For what ARQ does with the answers that end when the last steps do."""
_POLL_S: Final = 0.01
"""ARQ looks for jobs at intervals, by default every half a second."""


class ARQWorkerHost(WorkerHost):
    """What a worker of ARQ needs to run workflows: one function, and two hooks.

    For a worker that does nothing else, `settings` is all::

        host = ARQWorkerHost(make_engine)
        WorkerSettings = host.settings(redis_settings=RedisSettings())  # arq module.WorkerSettings

    A worker that has other functions names them in ``functions``, beside `function`. One whose settings are its own takes `startup`,
    `shutdown` and ``job_completion_wait``, too.

    The host hears of the signal that ends the process when ARQ does, and stops at once. While Redis is down, ARQ's client waits for it.

    An answer to a hint ends when its work has begun, or when a slot is free again, after half a minute at most: ARQ's timeouts never come
    into it. Should ARQ cancel the answer anyhow, the work goes on.
    """

    _ending: asyncio.Task[None] | None = None
    _listen_no_more: Callable[[], None] | None = None

    @property
    def function(self) -> Function:
        """The function, with its name and its settings."""
        run: Any = self._run  # ARQ's own type asks for positional arguments, of which it passes none
        return func(run, name=FUNCTION, timeout=_TIMEOUT_S, keep_result=0)

    async def startup(self, context: Any) -> None:
        """Make the engine; for ARQ's ``on_startup``."""
        await self.start()
        self._ending = None
        self._listen_no_more = overhear(self._end)
        await Patience(self._has_ended).give(context["redis"])

    async def shutdown(self, _context: Any) -> None:
        """Finish or give back what is under way; for ARQ's ``on_shutdown``."""
        await self._end()
        if self._listen_no_more is not None:
            self._listen_no_more()

    def settings(self, **others: Any) -> dict[str, Any]:
        """Settings of a worker that runs workflows only.

        Args:
            others: Further settings of ARQ, ``redis_settings`` and ``queue_name`` among them.
        """
        return {
            "functions": [self.function],
            "on_startup": self.startup,
            "on_shutdown": self.shutdown,
            "max_jobs": self.concurrency,
            "poll_delay": _POLL_S,
            "log_results": False,
            # Answers end when the host has stopped. Did ARQ cancel them before, it might leave out `shutdown`.
            "job_completion_wait": math.ceil(self.drain_s) + _LAST_WORDS_S,
            **others,
        }

    async def _run(self, _context: Any, *, queue: str, work: str) -> bool:  # noqa: ARG002 - it tells people what the hint was about
        return await self.answer(queue)

    def _end(self) -> asyncio.Task[None]:
        """Begin to stop, unless that has begun."""
        if self._ending is None:
            self._ending = asyncio.create_task(self.stop())
        return self._ending

    def _has_ended(self) -> bool:
        return self._ending is not None and self._ending.done()
