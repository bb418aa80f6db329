"""Commands about definitions."""

from __future__ import annotations

import click

from workflows_core.cli.engines import run_with_engine
from workflows_core.cli.options import as_json, engine_factory
from workflows_core.cli.output import print_json, print_table
from workflows_core.domain.diagrams import to_graphviz, to_mermaid
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.engine.engine import WorkflowEngine

__all__ = ["definitions", "graph"]


@click.command()
@as_json
@click.pass_context
def definitions(context: click.Context, *, json_output: bool) -> None:
    """List the workflows that can be started."""

    async def find(engine: WorkflowEngine) -> list[WorkflowGraph]:
        return await engine.list_graphs()

    found = run_with_engine(engine_factory(context), find)
    if json_output:
        print_json([{"name": item.name, "version": item.version, "description": item.description} for item in found])
    else:
        print_table(
            ("NAME", "VERSION", "STEPS", "DESCRIPTION"),
            [(item.name, item.version, len(item.nodes), item.description.partition("\n")[0]) for item in found],
        )


@click.command()
@click.argument("name")
@click.option("--version", help="Version; the newest by default.")
@click.option("--format", "output", type=click.Choice(["mermaid", "dot", "json"]), default="mermaid")
@click.pass_context
def graph(context: click.Context, name: str, version: str | None, output: str) -> None:
    """Print the graph of workflow NAME."""

    async def find(engine: WorkflowEngine) -> WorkflowGraph:
        return await engine.find_graph(name, version)

    found = run_with_engine(engine_factory(context), find)
    if output == "mermaid":
        click.echo(to_mermaid(found))
    elif output == "dot":
        click.echo(to_graphviz(found))
    else:
        click.echo(found.to_json())
