"""The OpenAPI document is complete."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Tag
from tests.integration.litestar.world import MakeApp

from workflows_core import WorkflowEngine
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig

OPERATIONS = {
    "GET /workflows/admin/dead-letters": "listAllDeadLetters",
    "GET /workflows/admin/instances": "listAllWorkflowInstances",
    "GET /workflows/admin/instances/{instance_id}/work": "listWorkItems",
    "GET /workflows/admin/stalled": "listStalledWorkflowInstances",
    "GET /workflows/admin/stats": "getWorkflowStats",
    "GET /workflows/admin/unserved": "listUnservedWork",
    "GET /workflows/api/dead-letters": "listDeadLetters",
    "GET /workflows/api/definitions": "listWorkflowDefinitions",
    "GET /workflows/api/definitions/{name}": "getWorkflowDefinition",
    "GET /workflows/api/definitions/{name}/graph": "getWorkflowDefinitionGraph",
    "GET /workflows/api/definitions/{name}/versions": "listWorkflowVersions",
    "GET /workflows/api/instances": "listWorkflowInstances",
    "GET /workflows/api/instances/{instance_id}": "getWorkflowInstance",
    "GET /workflows/api/instances/{instance_id}/events": "listWorkflowEvents",
    "GET /workflows/api/instances/{instance_id}/graph": "getWorkflowInstanceGraph",
    "GET /workflows/api/instances/{instance_id}/history": "listStepExecutions",
    "GET /workflows/api/tasks": "listHumanTasks",
    "GET /workflows/api/tasks/{task_id}": "getHumanTask",
    "POST /workflows/api/dead-letters/discard": "discardDeadLetters",
    "POST /workflows/api/dead-letters/retry": "retryDeadLetters",
    "POST /workflows/api/instances": "startWorkflowInstance",
    "POST /workflows/api/instances/{instance_id}/cancel": "cancelWorkflowInstance",
    "POST /workflows/api/instances/{instance_id}/signals/{name}": "signalWorkflowInstance",
    "POST /workflows/api/instances/{instance_id}/discard": "discardWorkflowInstance",
    "POST /workflows/api/instances/{instance_id}/retry": "retryWorkflowInstance",
    "POST /workflows/api/instances/{instance_id}/terminate": "terminateWorkflowInstance",
    "POST /workflows/api/tasks/{task_id}/complete": "completeHumanTask",
    "POST /workflows/api/tasks/{task_id}/reassign": "reassignHumanTask",
    "POST /workflows/api/webhooks/{token}": "receiveWebhook",
}

STATUSES = {
    "startWorkflowInstance": {"200", "201", "400", "401", "403", "404", "409", "413", "415", "422", "500", "503"},
    "listWorkflowInstances": {"200", "400", "401", "403", "500", "503"},
    "getWorkflowInstance": {"200", "400", "401", "403", "404", "500", "503"},
    "cancelWorkflowInstance": {"200", "400", "401", "403", "404", "409", "413", "415", "500", "503"},
    "terminateWorkflowInstance": {"200", "400", "401", "403", "404", "409", "413", "415", "500", "503"},
    "retryWorkflowInstance": {"200", "400", "401", "403", "404", "409", "413", "415", "422", "500", "503"},
    "discardWorkflowInstance": {"200", "400", "401", "403", "404", "409", "413", "415", "500", "503"},
    "retryDeadLetters": {"200", "400", "401", "403", "413", "415", "500", "503"},
    "discardDeadLetters": {"200", "400", "401", "403", "413", "415", "500", "503"},
    "listWorkItems": {"200", "400", "401", "403", "404", "500", "503"},
    "signalWorkflowInstance": {"200", "400", "401", "403", "404", "409", "413", "415", "422", "500", "503"},
    "completeHumanTask": {"200", "400", "401", "403", "404", "409", "413", "415", "422", "500", "503"},
    "reassignHumanTask": {"200", "400", "401", "403", "404", "409", "413", "415", "500", "503"},
    "receiveWebhook": {"204", "400", "404", "409", "413", "415", "422", "500", "503"},
}


@pytest.fixture
def document(make_app: MakeApp) -> dict[str, Any]:
    return make_app().openapi_schema.to_schema()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }


def test_paths_and_operation_ids_are_these(document: dict[str, Any]) -> None:
    assert {place: operation["operationId"] for place, operation in operations(document).items()} == OPERATIONS


def test_every_operation_has_a_summary_a_tag_and_described_parameters(document: dict[str, Any]) -> None:
    for place, operation in operations(document).items():
        assert operation["summary"], place
        assert len(operation["tags"]) == 1, place
        for parameter in operation.get("parameters", ()):
            described = parameter.get("description") or parameter["schema"].get("description")
            assert described, f"{place}: {parameter['name']}"


def test_every_error_response_is_documented_as_problem_details(document: dict[str, Any]) -> None:
    found = {operation["operationId"]: operation["responses"] for operation in operations(document).values()}
    for operation_id, responses in found.items():
        errors = {status: response for status, response in responses.items() if int(status) >= 400}
        assert {"400", "500", "503"} <= errors.keys(), operation_id
        for status, response in errors.items():
            content = response["content"]
            assert list(content) == ["application/problem+json"], f"{operation_id} {status}"
            problem = content["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}
            for example in problem["examples"].values():
                assert example["value"]["status"] == int(status)
                assert example["value"]["type"].startswith("urn:workflows:problem:")
    assert {key: set(found[key]) for key in STATUSES} == STATUSES


def test_injected_values_are_no_parameters(document: dict[str, Any]) -> None:
    names = {
        parameter["name"]
        for operation in operations(document).values()
        for parameter in operation.get("parameters", ())
    }
    assert names.isdisjoint({"workflow_engine", "workflow_actor", "paging", "instances", "request", "connection"})
    assert {"Idempotency-Key", "status", "cursor", "with_total", "format"} <= names


def test_request_bodies_are_closed_and_response_bodies_are_open(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    closed = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert closed == {
        "CancelWorkflowDTO",
        "CompleteTaskDTO",
        "DeadLetterSelection",
        "DiscardDeadLettersDTO",
        "DiscardWorkflowDTO",
        "ReassignTaskDTO",
        "RetryDeadLettersDTO",
        "RetryWorkflowDTO",
        "SignalWorkflowDTO",
        "StartWorkflowDTO",
        "TerminateWorkflowDTO",
    }


def test_fields_have_examples(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["StartWorkflowDTO"]["properties"]["workflow_name"]["examples"] == ["document_approval"]
    assert schemas["StartWorkflowDTO"]["required"] == ["workflow_name"]


def test_the_tags_are_described_beside_those_of_the_application(engine: WorkflowEngine) -> None:
    config = OpenAPIConfig(title="Mine", version="1", tags=[Tag(name="Mine"), Tag(name="Human Tasks", description="!")])
    plugin = WorkflowPlugin(WorkflowPluginConfig(engine=engine))
    app = Litestar(plugins=[plugin], openapi_config=config)
    described = {tag["name"]: tag.get("description") for tag in app.openapi_schema.to_schema()["tags"]}
    assert described["Mine"] is None
    assert described["Human Tasks"] == "!"
    assert described["Workflow Instances"]
    assert [tag.name for tag in config.tags or ()] == ["Mine", "Human Tasks"], (
        "the application's own object is left alone"
    )


def test_further_tags_stand_beside_those_of_the_kind(make_app: MakeApp) -> None:
    document = make_app(tags=["Back office"]).openapi_schema.to_schema()
    for operation in operations(document).values():
        assert "Back office" in operation["tags"]
        assert len(operation["tags"]) == 2


def test_the_routes_can_be_left_out_of_the_document(make_app: MakeApp) -> None:
    document = make_app(include_in_schema=False).openapi_schema.to_schema()
    assert operations(document) == {}
    assert "tags" not in document


def test_the_document_is_served(make_app: MakeApp) -> None:
    from litestar.testing import TestClient

    with TestClient(make_app()) as client:
        assert (
            client.get("/schema/openapi.json").json()["paths"].keys()
            == make_app().openapi_schema.to_schema()["paths"].keys()
        )
