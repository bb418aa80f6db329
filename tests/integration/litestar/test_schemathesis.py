"""What the OpenAPI document says is what the routes do, also for requests that nobody thought of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from litestar import Litestar
from schemathesis import GenerationMode
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.integration.litestar.world import MakeApp

from workflows_core import Actor, WorkflowEngine

INSTANCES = "/workflows/api/instances"
REQUESTS = 10
"""Requests for each operation, kind of request and choice of ids; all together take about ten seconds."""


@pytest.fixture
def open_app(make_app: MakeApp) -> Litestar:
    """Everything is open, so that requests get further than the guards."""
    developer = Actor("developer", groups=frozenset({"managers"}), roles=frozenset({"admin"}))
    return make_app(authenticated=False, allow_anonymous=True, anonymous_actor=developer, admin_guard=None)


@pytest.fixture
def document(open_app: Litestar) -> Iterator[Any]:
    yield schemathesis.openapi.from_asgi("/schema/openapi.json", open_app)
    shutdown_lifespans()


def known_ids(document: Any, engine: WorkflowEngine) -> dict[str, Any]:
    """Ids of an instance and of an open task, the name of a workflow, and a signed token."""
    start = {"workflow_name": "approval", "initial_data": {"document": "plan.md"}}
    instance = document[INSTANCES]["POST"].Case(body=start, media_type="application/json").call().json()
    waiting = document[INSTANCES]["POST"].Case(body={"workflow_name": "callback"}, media_type="application/json").call()
    tasks = document["/workflows/api/tasks"]["GET"]
    until = time.monotonic() + 5
    while not (found := tasks.Case(query={"instance_id": instance["id"]}).call().json()["items"]):
        assert time.monotonic() < until, "the task was not opened"
    return {
        "instance_id": instance["id"],
        "task_id": found[0]["id"],
        "name": "approval",
        "token": engine.webhook_token(UUID(waiting.json()["id"]), "await_payment"),
    }


def test_no_request_finds_the_document_wrong(document: Any, engine: WorkflowEngine) -> None:
    known = known_ids(document, engine)
    operations = [result.ok() for result in document.get_all_operations()]
    operations.sort(key=lambda operation: operation.path.endswith("/cancel"))
    assert len(operations) == 19
    for operation in operations:
        wanted = {parameter.name for parameter in operation.path_parameters}
        fixed = {name: value for name, value in known.items() if name in wanted}
        for mode in GenerationMode:
            for path_parameters in [{}, fixed] if fixed else [{}]:
                _try(operation, mode, path_parameters)


def _try(operation: Any, mode: GenerationMode, path_parameters: dict[str, Any]) -> None:
    @given(case=operation.as_strategy(mode, path_parameters=path_parameters))
    @settings(
        max_examples=REQUESTS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answers_as_documented(case: schemathesis.Case[Any]) -> None:
        response = case.call()
        case.validate_response(response, excluded_checks=[positive_data_acceptance])
        if mode is GenerationMode.POSITIVE and response.status_code == 400:
            assert _is_beyond_schemas(response.json()), f"{case.as_curl_command()}\n{response.text}"

    nothing_to_spoil = mode is GenerationMode.NEGATIVE and path_parameters
    with suppress(Unsatisfiable) if nothing_to_spoil else nullcontext():
        answers_as_documented()


def _is_beyond_schemas(problem: dict[str, Any]) -> bool:
    """No schema can say which cursors a list has made, or that header and body have the same key."""
    return bool(problem["type"].endswith("invalid-cursor") or problem["errors"][0]["pointer"] == "Idempotency-Key")
