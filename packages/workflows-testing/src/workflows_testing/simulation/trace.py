"""What was asked of the store in a simulation, for the reader of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Write
from workflows_testing.faults.relay import StoreCall

__all__ = ["Trace"]


class Trace:
    """Keeps the calls of a simulation in their order."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, str, str, StoreCall | None, Any]] = []

    def note(self, process: str, call: StoreCall, answer: Any) -> None:
        """Keep a call with its answer."""
        self._entries.append((asyncio.get_running_loop().time(), process, call.method, call, answer))

    def say(self, process: str, what: str, at: float) -> None:
        """Keep something that is no call."""
        self._entries.append((at, process, what, None, None))

    def tail(self, lines: int = 40) -> str:
        """The last entries that tell something, one a line."""
        told = [entry for entry in self._entries if _tells_something(entry[2], entry[4])]
        return "\n".join(_line(*entry) for entry in told[-lines:])


_READS: Final = frozenset({"check", "graph", "load", "next_due", "now"})


def _tells_something(what: str, answer: Any) -> bool:
    if what in _READS:
        return isinstance(answer, Exception)
    return bool(answer) or what not in {"claim", "renew"}


def _line(at: float, process: str, what: str, call: StoreCall | None, answer: Any) -> str:
    start = f"{at:12.6f} {process:<12} {what}"
    return start if call is None else f"{start}({_arguments(call)}) -> {_short(answer)}"


def _arguments(call: StoreCall) -> str:
    match call.method, call.arguments:
        case "commit", (writes,):
            return ", ".join(map(_write, writes))
        case "claim", (ClaimRequest() as request,):
            return f"limit={request.limit}"
        case "publish", (graphs,):
            return ", ".join(graph.name for graph in graphs)
        case _, arguments:
            return ", ".join(map(_short, arguments))


def _write(write: Write) -> str:
    transition = write.transition
    what = "+".join(type(event).__name__ for event in transition.events) or "…"
    under = "" if write.held is None else f" under {write.held.number}/fence {write.held.fence}"
    return f"{_short(transition.state.id)} to revision {transition.state.revision}{under}: {what}"


def _short(value: Any) -> str:
    if isinstance(value, Committed | UUID | WorkRef):
        return "Committed" if isinstance(value, Committed) else f"…{str(value)[24:]}"
    if isinstance(value, Lease):
        return f"{_short(value.ref)}/fence {value.fence}"
    if isinstance(value, Claim):
        return f"{value.item.step}:{value.item.kind} {value.item.number}/fence {value.fence}/attempt {value.attempt}"
    if isinstance(value, set | frozenset):
        return f"[{', '.join(sorted(map(_short, value)))}]"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{', '.join(map(_short, value))}]"
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
