"""Who may act on a human task."""

from __future__ import annotations

from collections.abc import Collection

from workflows_core.domain.actor import Actor

__all__ = ["may_act"]


def may_act(
    actor: Actor,
    *,
    assignee_id: str | None,
    candidate_users: Collection[str],
    candidate_groups: Collection[str],
    admin_roles: Collection[str] = (),
) -> bool:
    """Whether an actor may complete a task, or pass it on to somebody else.

    An assigned task is for its assignee alone; an unassigned one for its candidates, which are users, groups and roles; one
    without any candidate for everybody of the tenant. Holders of an admin role may always.
    """
    if not actor.roles.isdisjoint(admin_roles):
        return True
    if assignee_id is not None:
        return actor.id == assignee_id
    if not candidate_users and not candidate_groups:
        return True
    if actor.id in candidate_users:
        return True
    return any(group in actor.groups or group in actor.roles for group in candidate_groups)
