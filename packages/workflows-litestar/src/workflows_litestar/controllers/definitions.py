"""Routes of definitions. Definitions belong to the application, so every tenant sees all of them."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.params import PathParameter, QueryParameter

from workflows_core import DefinitionNotFoundError, InvalidCursorError
from workflows_litestar.controllers.parameters import Drawing, Paging
from workflows_litestar.dependencies import Engine
from workflows_litestar.drawings import draw
from workflows_litestar.openapi import DEFINITIONS_TAG
from workflows_litestar.problems.documentation import document_problems
from workflows_litestar.schemas.definitions import DefinitionVersionDTO, GraphDTO, WorkflowDefinitionDTO
from workflows_litestar.schemas.paging import ListDTO, part_of

__all__ = ["WorkflowDefinitionController"]

Name = Annotated[str, PathParameter(min_length=1, max_length=255, description="Name of the workflow.")]
Version = Annotated[str | None, QueryParameter(max_length=255, description="Version; the newest if left out.")]


class WorkflowDefinitionController(Controller):
    """Workflow definitions, their versions and their drawings."""

    path = "/definitions"
    tags = (DEFINITIONS_TAG,)

    @get(
        operation_id="listWorkflowDefinitions",
        name="workflows:definitions:list",
        summary="List workflow definitions",
        responses=document_problems(InvalidCursorError),
    )
    async def list_definitions(
        self,
        *,
        workflow_engine: Engine,
        paging: Paging,
        active_only: Annotated[
            bool, QueryParameter(description="Only the newest version of each workflow, which new instances get.")
        ] = True,
    ) -> ListDTO[WorkflowDefinitionDTO]:
        """List definitions by name, then oldest version first."""
        graphs = await workflow_engine.list_graphs()
        if active_only:
            graphs = list({graph.name: graph for graph in graphs}.values())
        return part_of(graphs, paging, WorkflowDefinitionDTO.of)

    @get(
        "/{name:str}",
        operation_id="getWorkflowDefinition",
        name="workflows:definitions:get",
        summary="Get a workflow definition",
        responses=document_problems(DefinitionNotFoundError),
    )
    async def get_definition(
        self, name: Name, workflow_engine: Engine, version: Version = None
    ) -> WorkflowDefinitionDTO:
        """Get one version of a definition."""
        return WorkflowDefinitionDTO.of(await workflow_engine.find_graph(name, version))

    @get(
        "/{name:str}/versions",
        operation_id="listWorkflowVersions",
        name="workflows:definitions:versions",
        summary="List the versions of a workflow",
        responses=document_problems(DefinitionNotFoundError, InvalidCursorError),
    )
    async def list_versions(self, name: Name, workflow_engine: Engine, paging: Paging) -> ListDTO[DefinitionVersionDTO]:
        """List versions, oldest first."""
        latest = await workflow_engine.find_graph(name)
        return part_of(
            await workflow_engine.list_graphs(name=name),
            paging,
            lambda graph: DefinitionVersionDTO(
                version=graph.version, graph_hash=graph.hash, is_latest=graph.version == latest.version
            ),
        )

    @get(
        "/{name:str}/graph",
        operation_id="getWorkflowDefinitionGraph",
        name="workflows:definitions:graph",
        summary="Draw a workflow definition",
        responses=document_problems(DefinitionNotFoundError),
    )
    async def get_graph(
        self,
        name: Name,
        workflow_engine: Engine,
        version: Version = None,
        drawing: Drawing = "mermaid",
    ) -> GraphDTO:
        """Draw one version of a definition."""
        return draw(await workflow_engine.find_graph(name, version), drawing)
