"""What is in the demo at its first start: a few instances that wait for somebody."""

from __future__ import annotations

import logging
from typing import Any, Final

from workflows_core import Actor, IdempotencyConflictError, WorkflowEngine
from workflows_reference.accounts.people import DEMO_USERS

__all__ = ["seed_instances"]

logger = logging.getLogger(__name__)

_INSTANCES: Final[tuple[tuple[str, str, str, dict[str, Any]], ...]] = (
    (
        "seed-lunch",
        "alice",
        "expense_approval",
        {"purpose": "Team lunch after the release", "category": "meals", "amount": 96.40},
    ),
    (
        "seed-conference",
        "dan",
        "expense_approval",
        {"purpose": "Conference in Rotterdam", "category": "travel", "amount": 1450},
    ),
    (
        "seed-rules",
        "alice",
        "document_review",
        {
            "title": "Rules for working from home",
            "text": "Everybody works where the work goes best. Say where you are, and be reachable from ten to three.",
            "reviewers": ["dan", "erin"],
        },
    ),
    (
        "seed-noor",
        "hana",
        "employee_onboarding",
        {"name": "Noor Novak", "login": "noor", "equipment": "laptop"},
    ),
)


async def seed_instances(engine: WorkflowEngine) -> int:
    """Start the first instances; each has a key, so they are there once however often the demo starts.

    Returns:
        How many were started now.
    """
    people = {user.id: user for user in DEMO_USERS}
    started = 0
    for key, starter, workflow, data in _INSTANCES:
        user = people[starter]
        actor = Actor(user.id, frozenset(user.groups), frozenset(user.roles), user.tenant_id)
        try:
            instance = await engine.start_workflow(workflow, data, idempotency_key=key, actor=actor)
        except IdempotencyConflictError:
            logger.info("%s was started by an earlier version of the demo", key)
            continue
        started += not instance.is_duplicate
    return started
