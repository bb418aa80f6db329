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
"""Requests for each operation, kind of request and choice of ids; all together take half a minute."""


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
    """Ids of an instance, of one that has failed and of an open task, the name of a workflow, and a signed token."""
    start = {"workflow_name": "approval", "initial_data": {"document": "plan.md"}}
    instance = document[INSTANCES]["POST"].Case(body=start, media_type="application/json").call().json()
    waiting = document[INSTANCES]["POST"].Case(body={"workflow_name": "callback"}, media_type="application/json").call()
    document[INSTANCES]["POST"].Case(body={"workflow_name": "failing"}, media_type="application/json").call()
    task = _first(document["/workflows/api/tasks"]["GET"], {"instance_id": instance["id"]})
    return {
        "instance_id": instance["id"],
        "dead_letter": _first(document["/workflows/api/dead-letters"]["GET"], {})["id"],
        "task_id": task["id"],
        "name": "approval",
        "token": engine.webhook_token(UUID(waiting.json()["id"]), "await_payment"),
    }


def _first(operation: Any, query: dict[str, str]) -> dict[str, Any]:
    """The first item of a list, as soon as there is one."""
    until = time.monotonic() + 5
    while not (found := operation.Case(query=query).call().json()["items"]):
        assert time.monotonic() < until, f"nothing came into the list {operation.path}"
    first: dict[str, Any] = found[0]
    return first


@pytest.mark.timeout(300)
# The worker of the application draws its pauses in a thread of its own while Hypothesis draws requests in this one.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
def test_no_request_finds_the_document_wrong(document: Any, engine: WorkflowEngine) -> None:
    known = known_ids(document, engine)
    operations = [result.ok() for result in document.get_all_operations()]
    operations.sort(key=lambda operation: operation.path.endswith(("/cancel", "/terminate", "/discard")))
    assert len(operations) == 29
    for operation in operations:
        wanted = {parameter.name for parameter in operation.path_parameters}
        fixed = {name: value for name, value in known.items() if name in wanted}
        if operation.path.endswith(("/{instance_id}/retry", "/{instance_id}/discard")):
            fixed["instance_id"] = known["dead_letter"]
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
