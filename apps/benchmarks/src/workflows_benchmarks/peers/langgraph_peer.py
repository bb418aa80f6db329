# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "langgraph==1.2.24",
#     "langgraph-checkpoint-postgres==3.2.0",
#     "langgraph-checkpoint-sqlite==3.1.2",
#     "psycopg[binary,pool]>=3.3",
# ]
# ///
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""LangGraph with its checkpointers; each step is durable before the next begins, as with us (``durability="sync"``)."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from typing import Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from workflows_benchmarks.peers.clients import Options, Way, measure, print_found, read_options

SAVERS = 32
"""A saver lets one statement through at a time, so clients share the load among several; each has a connection."""


class State(TypedDict):
    """What the steps pass on."""

    count: int


async def empty_step(_state: State) -> dict[str, int]:
    """Change nothing."""
    return {}


def compiled(saver: Any) -> Any:
    """Five steps one after the other."""
    graph = StateGraph(State)
    names = [f"step_{number}" for number in range(1, 6)]
    for name in names:
        graph.add_node(name, empty_step)
    for source, target in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(source, target)
    return graph.compile(checkpointer=saver)


async def open_graphs(options: Options, stack: AsyncExitStack) -> list[Any]:
    """A graph for each saver."""
    if options.url.startswith("sqlite"):
        path = options.url.removeprefix("sqlite:///")
        savers = [await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))]
    else:
        number = min(max(options.clients), SAVERS)
        opening = [AsyncPostgresSaver.from_conn_string(options.url) for _ in range(number)]
        savers = [await stack.enter_async_context(each) for each in opening]
    await savers[0].setup()
    return [compiled(saver) for saver in savers]


async def main(options: Options) -> None:
    """Make the graphs and measure them."""
    async with AsyncExitStack() as stack:
        graphs = await open_graphs(options, stack)

        async def run(client: int) -> None:
            config = {"configurable": {"thread_id": str(uuid.uuid4())}}
            await graphs[client % len(graphs)].ainvoke({"count": 0}, config, durability="sync")

        found = await measure(options, [Way("ainvoke", run=run)])
    print_found(options, "langgraph", found, f'durability="sync", {len(graphs)} savers')


if __name__ == "__main__":
    asyncio.run(main(read_options()))
