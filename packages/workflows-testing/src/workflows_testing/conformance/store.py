"""The suite for every `WorkflowStore`."""

from __future__ import annotations

from workflows_testing.conformance.store_admissions import AdmissionRules
from workflows_testing.conformance.store_claims import ClaimRules
from workflows_testing.conformance.store_commits import CommitRules
from workflows_testing.conformance.store_crashes import CrashRules
from workflows_testing.conformance.store_fairness import FairnessRules
from workflows_testing.conformance.store_fences import FenceRules
from workflows_testing.conformance.store_graphs import GraphRules
from workflows_testing.conformance.store_items import ItemRules
from workflows_testing.conformance.store_leases import LeaseRules
from workflows_testing.conformance.store_limit_choices import LimitChoiceRules
from workflows_testing.conformance.store_limit_rewrites import LimitRewriteRules
from workflows_testing.conformance.store_limits import LimitRules
from workflows_testing.conformance.store_payloads import PayloadRules
from workflows_testing.conformance.store_rates import RateRules
from workflows_testing.conformance.store_refusals import RefusalRules
from workflows_testing.conformance.store_reopenings import ReopeningRules
from workflows_testing.conformance.store_slots import SlotRules
from workflows_testing.conformance.store_starts import StartRules
from workflows_testing.conformance.store_states import StateRules

__all__ = ["WorkflowStoreConformance"]


class WorkflowStoreConformance(
    StartRules,
    CommitRules,
    RefusalRules,
    FenceRules,
    ReopeningRules,
    ClaimRules,
    FairnessRules,
    LeaseRules,
    LimitRules,
    LimitRewriteRules,
    LimitChoiceRules,
    SlotRules,
    RateRules,
    AdmissionRules,
    CrashRules,
    ItemRules,
    StateRules,
    PayloadRules,
    GraphRules,
):
    """All rules of the store."""
