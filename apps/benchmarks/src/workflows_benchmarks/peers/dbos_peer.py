# /// script
# requires-python = ">=3.11"
# dependencies = ["dbos==3.4.0"]
# ///
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""DBOS on PostgreSQL or SQLite: workflows called directly, started through a handle, and called from threads."""

from __future__ import annotations

import asyncio

from dbos import DBOS

from workflows_benchmarks.peers.clients import Options, Way, measure, print_found, read_options


@DBOS.step()
async def empty_step() -> None:
    """Do nothing."""


@DBOS.step()
def empty_blocking_step() -> None:
    """Do nothing."""


@DBOS.workflow()
async def linear() -> None:
    """Five steps one after the other."""
    for _ in range(5):
        await empty_step()


@DBOS.workflow()
def blocking_linear() -> None:
    """The same, in a thread."""
    for _ in range(5):
        empty_blocking_step()


@DBOS.workflow()
async def fan_out() -> None:
    """One step, then twenty at the same time, then one."""
    await empty_step()
    await asyncio.gather(*(empty_step() for _ in range(20)))
    await empty_step()


async def started(workflow: object) -> None:
    """Start a workflow and wait for its handle."""
    handle = await DBOS.start_workflow_async(workflow)
    await handle.get_result()


async def main(options: Options) -> None:
    """Launch DBOS and measure it."""
    workflow = linear if options.workload == "linear-5" else fan_out
    ways = [
        Way("called", run=lambda _: workflow()),
        Way("started", run=lambda _: started(workflow)),
    ]
    if options.workload == "linear-5":
        ways.append(Way("called in threads", run_in_thread=lambda _: blocking_linear()))
    found = await measure(options, ways)
    print_found(
        options, "dbos", found, "workflows and steps as decorated functions; each step is recorded before the next"
    )


if __name__ == "__main__":
    given = read_options()
    DBOS(config={"name": "bench", "system_database_url": given.url, "log_level": "ERROR"})
    DBOS.launch()
    asyncio.run(main(given))
    DBOS.destroy()
