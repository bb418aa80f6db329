"""The suite for every `WorkflowQueries`."""

from __future__ import annotations

from workflows_testing.conformance.queries_failures import FailureRules
from workflows_testing.conformance.queries_history import HistoryRules
from workflows_testing.conformance.queries_instances import InstanceRules
from workflows_testing.conformance.queries_task_lists import TaskListRules
from workflows_testing.conformance.queries_tasks import TaskRules
from workflows_testing.conformance.queries_unserved import UnservedRules

__all__ = ["WorkflowQueriesConformance"]


class WorkflowQueriesConformance(InstanceRules, TaskRules, TaskListRules, HistoryRules, FailureRules, UnservedRules):
    """All rules of the queries."""
