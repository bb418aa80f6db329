"""SAQ's worker: ``saq workflows_reference.worker_saq.settings``."""

from __future__ import annotations

from workflows_reference.executors.saq import make_queue
from workflows_reference.settings import load_settings
from workflows_reference.worker_host import ContainerHost
from workflows_saq import SAQWorkerHost

__all__ = ["settings"]


class _Host(ContainerHost, SAQWorkerHost):
    """A worker of SAQ with the demo's container."""


_environment = load_settings()
settings = _Host(_environment).settings(make_queue(_environment))
