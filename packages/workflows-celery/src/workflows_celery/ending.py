"""How the processes of a pool hear that Celery's worker is to end, before Celery itself tells them."""

from __future__ import annotations

import os

__all__ = ["Ending"]


class Ending:
    """A pipe whose one end only the main process keeps open: when that end is closed, or its process is gone, the other end shows it.

    Celery tells the processes of the pool last, after it has waited for what they were given. Until then they would go on looking for work.
    It is made before the pool forks, and needs no thread and no connection for that.
    """

    def __init__(self) -> None:
        """Begin; nobody has been told."""
        self._there, self._here = os.pipe()
        self._main = os.getpid()

    @property
    def is_main(self) -> bool:
        """Whether this is the main process."""
        return os.getpid() == self._main

    def listen(self) -> int:
        """The descriptor that becomes readable when the worker is to end; for the process that wants to know."""
        if not self.is_main:
            self.tell()  # this process's copy would keep the pipe open
        return self._there

    def tell(self) -> None:
        """The worker is to end. A second call does nothing."""
        here, self._here = self._here, -1
        if here >= 0:
            os.close(here)
