"""SAQ's worker: ``saq workflows_reference.worker_saq.settings``."""

from __future__ import annotations

from functools import partial

from workflows_reference.executors.saq import make_queue
from workflows_reference.ioc import open_engine
from workflows_reference.settings import load_settings
from workflows_saq import SAQWorkerHost

__all__ = ["settings"]


_environment = load_settings()
_host = SAQWorkerHost(partial(open_engine, _environment), concurrency=_environment.concurrency)
settings = _host.settings(make_queue(_environment))
