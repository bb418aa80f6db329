"""Which workers of Celery can run workflows: what makes it impossible is refused, and what cuts steps off is told."""

from __future__ import annotations

import logging
from typing import Any, Final

from celery.concurrency import get_implementation
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool

__all__ = ["refuse_unsuitable", "warn_of_cuts"]

logger = logging.getLogger(__name__)

_JSON: Final = frozenset({"json", "application/json"})


def refuse_unsuitable(worker: Any) -> None:
    """End the process whose worker cannot run workflows; before Celery has made anything.

    Raises:
        SystemExit: It cannot; the message says why, and how to mend it.
    """
    _refuse_pool(worker.pool_cls)
    accepted = worker.app.conf.accept_content
    if _JSON.isdisjoint(accepted):
        msg = (
            f"workflows cannot run in this worker of Celery: its setting accept_content, {list(accepted)}, leaves out JSON, in which "
            "hints are sent; add 'json' to it"
        )
        raise SystemExit(msg)


def _refuse_pool(chosen: Any) -> None:
    pool = get_implementation(chosen)
    if issubclass(pool, PreforkPool | ThreadPool | SoloPool):
        return
    if pool.__module__.endswith((".gevent", ".eventlet")):
        msg = (
            f"workflows cannot run in Celery's pool {pool.__module__.rpartition('.')[2]!r}: its greenlets and an event loop do not go "
            "together; use --pool=prefork, threads or solo"
        )
    else:
        msg = (
            f"workflows cannot run in the pool {pool.__module__}.{pool.__qualname__}: nothing is known of where it runs tasks; use "
            "--pool=prefork, threads or solo"
        )
    raise SystemExit(msg)


def warn_of_cuts(worker: Any, *, drain_s: float) -> None:
    """Say which options of a worker make it end processes of its pool without regard for the steps that run there."""
    if not issubclass(worker.pool_cls, PreforkPool):
        return
    cutting = {
        "worker_max_tasks_per_child": worker.max_tasks_per_child,
        "worker_max_memory_per_child": worker.max_memory_per_child,
        "--autoscale": worker.autoscale,
    }
    for option, value in cutting.items():
        if value:
            logger.warning(
                "%s makes Celery end processes of the pool in which steps run: those that take more than %g s (drain_s) to their end "
                "are cancelled, and begun again in another process; use a worker without it for workflows with long steps",
                option,
                drain_s,
            )
