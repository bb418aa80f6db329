"""The people of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEMO_PASSWORD", "DEMO_USERS", "User"]

DEMO_PASSWORD: Final = "demo"
"""The password of everybody. This is a demo; nothing here is meant to keep anybody out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who can log in.

    Attributes:
        id: Name in assignments and in the audit trail.
        name: Full name.
        job: What the person does in the demo.
        manager: Id of the one who approves this person's expenses; None leaves it to the group ``managers``.
        groups: Groups that tasks can be given to.
        roles: Roles; ``admin`` may act on every task of its tenant.
        tenant_id: The company.
    """

    id: str
    name: str
    job: str
    manager: str | None = None
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tenant_id: str = "acme"


DEMO_USERS: Final = (
    User(id="alice", name="Alice Archer", job="files expenses, writes documents", manager="bob", groups=("employees",)),
    User(id="bob", name="Bob Baker", job="manager", manager="carol", groups=("employees", "managers")),
    User(id="carol", name="Carol Chen", job="finance", groups=("employees", "finance", "managers")),
    User(id="dan", name="Dan Dale", job="reviewer", manager="bob", groups=("employees", "reviewers")),
    User(id="erin", name="Erin Egan", job="reviewer", manager="bob", groups=("employees", "reviewers")),
    User(id="hana", name="Hana Holm", job="human resources", manager="carol", groups=("employees", "hr")),
    User(id="admin", name="Ada Admin", job="operates the demo", roles=("admin",)),
    User(id="zoe", name="Zoe Zimmer", job="works for another company", groups=("employees",), tenant_id="globex"),
)
"""Eight people of two companies; those of one never see anything of the other."""
