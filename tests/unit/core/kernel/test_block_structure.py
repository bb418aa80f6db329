"""Well-structured processes mean what everybody expects, without any annotation.

A process is built of blocks: a step, a sequence, parallel branches, a choice, a loop with rework, a group. What it means is told by
a few callbacks, without tokens, joins or graphs. The kernel runs the flat graph with plain joins, and at every moment the same steps
must be active: a parallel join waits for all branches wherever in their loops they are and runs once, a merge behind a choice is
never held up, and a loop goes round.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies as st
from tests.unit.core.kernel.flows import make_graph
from tests.unit.core.kernel.play import Play

from workflows_core.domain.graph import Edge, GroupNode, MachineNode, Node, WorkflowGraph
from workflows_core.domain.state import ROOT
from workflows_core.domain.types import StepStatus, WorkflowStatus

Done = Callable[[], None]


@dataclass
class Process:
    """What is active, and what completing it does; steps choose where to go by name."""

    active: dict[str, Callable[[str], None]] = field(default_factory=dict)
    turns: int = 0

    def step(self, name: str, then: Callable[[str], None]) -> None:
        """Make a step active."""
        assert name not in self.active, "a well-structured process never has the same step active twice"
        self.active[name] = then

    def complete(self, name: str, way: str) -> None:
        """Complete a step."""
        self.active.pop(name)(way)


class Block:
    """A part of a process with one way in and one way out."""

    first: str
    last: str

    def run(self, process: Process, done: Done) -> None:
        """Begin; ``done`` is called at the end."""
        raise TypeError

    def edges(self) -> list[Edge]:
        """The moves inside."""
        return []

    def nodes(self, scope: str) -> list[Node]:
        """The steps inside."""
        raise TypeError


@dataclass
class Step(Block):
    name: str

    def __post_init__(self) -> None:
        self.first = self.last = self.name

    def run(self, process: Process, done: Done) -> None:
        process.step(self.name, lambda _way: done())

    def nodes(self, scope: str) -> list[Node]:
        return [Node(self.name, MachineNode(), scope=scope)]


@dataclass
class Sequence(Block):
    parts: list[Block]

    def __post_init__(self) -> None:
        self.first, self.last = self.parts[0].first, self.parts[-1].last

    def run(self, process: Process, done: Done) -> None:
        def go(number: int) -> None:
            if number == len(self.parts):
                done()
            else:
                self.parts[number].run(process, lambda: go(number + 1))

        go(0)

    def edges(self) -> list[Edge]:
        inner = [edge for part in self.parts for edge in part.edges()]
        return inner + [Edge(one.last, two.first) for one, two in zip(self.parts, self.parts[1:], strict=False)]

    def nodes(self, scope: str) -> list[Node]:
        return [node for part in self.parts for node in part.nodes(scope)]


@dataclass
class Branches(Block):
    """Parallel branches, or alternatives; a branch may be empty."""

    name: str
    branches: list[Block | None]
    all_of_them: bool

    def __post_init__(self) -> None:
        self.first, self.last = f"{self.name}_split", f"{self.name}_join"

    def run(self, process: Process, done: Done) -> None:
        def split(way: str) -> None:
            chosen = [branch for branch in self.branches if self.all_of_them or self._way(branch) == way]
            left = len(chosen)

            def one_is_done() -> None:
                nonlocal left
                left -= 1
                if not left:
                    process.step(self.last, lambda _way: done())

            for branch in chosen:
                if branch is None:
                    one_is_done()
                else:
                    branch.run(process, one_is_done)

        process.step(self.first, split)

    def _way(self, branch: Block | None) -> str:
        return self.last if branch is None else branch.first

    def edges(self) -> list[Edge]:
        named = not self.all_of_them
        found = [Edge(self.first, self._way(branch), named=named) for branch in self.branches]
        for branch in self.branches:
            if branch is not None:
                found += [*branch.edges(), Edge(branch.last, self.last)]
        return found

    def nodes(self, scope: str) -> list[Node]:
        inner = [node for branch in self.branches if branch is not None for node in branch.nodes(scope)]
        return [Node(self.first, MachineNode(), scope=scope), *inner, Node(self.last, MachineNode(), scope=scope)]


@dataclass
class Loop(Block):
    """``body``, then a check: out, or round once more, perhaps by way of ``rework``."""

    name: str
    body: Block
    rework: Block | None
    rework_comes_first: bool

    def __post_init__(self) -> None:
        self.first, self.last = self.body.first, f"{self.name}_out"
        self.check = f"{self.name}_check"

    def run(self, process: Process, done: Done) -> None:
        def again() -> None:
            process.turns += 1
            self.body.run(process, lambda: process.step(self.check, checked))

        def checked(way: str) -> None:
            if way == self.last:
                process.step(self.last, lambda _way: done())
            elif self.rework is None:
                again()
            else:
                self.rework.run(process, again)

        again()

    def edges(self) -> list[Edge]:
        back = self.body.first if self.rework is None else self.rework.first
        ways = [Edge(self.check, back, named=True), Edge(self.check, self.last, named=True)]
        found = [
            *self.body.edges(),
            Edge(self.body.last, self.check),
            *(ways if self.rework_comes_first else ways[::-1]),
        ]
        if self.rework is not None:
            found += [*self.rework.edges(), Edge(self.rework.last, self.body.first)]
        return found

    def nodes(self, scope: str) -> list[Node]:
        rework = self.rework.nodes(scope) if self.rework is not None else []
        ends = [Node(self.check, MachineNode(), scope=scope), Node(self.last, MachineNode(), scope=scope)]
        return [*self.body.nodes(scope), *rework, *ends]


@dataclass
class Group(Block):
    name: str
    inside: Block

    def __post_init__(self) -> None:
        self.first = self.last = self.name

    def run(self, process: Process, done: Done) -> None:
        self.inside.run(process, done)

    def edges(self) -> list[Edge]:
        return self.inside.edges()

    def nodes(self, scope: str) -> list[Node]:
        kind = GroupNode("sequential", (self.inside.first,))
        return [Node(self.name, kind, scope=scope), *self.inside.nodes(self.name)]


class _Names:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"


def draw_block(rng: random.Random, names: _Names, depth: int) -> Block:
    """A random block."""
    if depth == 0:
        return Step(names("s"))

    def inner() -> Block:
        return draw_block(rng, names, depth - rng.choice([1, 1, 2]) if depth > 1 else 0)

    match rng.choice(["sequence", "parallel", "parallel", "choice", "loop", "loop", "group"]):
        case "sequence":
            return Sequence([inner() for _ in range(rng.randint(2, 3))])
        case "parallel" | "choice" as kind:
            branches: list[Block | None] = [inner() for _ in range(rng.randint(2, 3))]
            if rng.random() < 0.2:
                branches[rng.randrange(len(branches))] = None
            return Branches(names("p" if kind == "parallel" else "x"), branches, kind == "parallel")
        case "loop":
            return Loop(names("l"), inner(), rng.choice([None, inner()]), rng.choice([True, False]))
        case _:
            return Group(names("g"), inner())


def to_graph(block: Block) -> WorkflowGraph:
    nodes = {node.name: node for node in [Node("begin", MachineNode()), *block.nodes(""), Node("end", MachineNode())]}
    return make_graph(nodes, (Edge("begin", block.first), *block.edges(), Edge(block.last, "end")), "begin")


def run_both(block: Block, rng: random.Random) -> None:
    """Complete active steps in random order until the end, and compare what is active after each."""
    graph = to_graph(block)
    process, play = Process(), Play(graph)
    process.step("begin", lambda _way: block.run(process, lambda: process.step("end", lambda _way: None)))
    while process.active:
        running = [token.node for _, token in play.places() if token.status is StepStatus.SCHEDULED]
        assert sorted(running) == sorted(process.active)
        name = rng.choice(sorted(process.active))
        ways = [edge.target for edge in graph.edges if edge.source == name and edge.named]
        out = [way for way in ways if way.endswith("_out")]
        way = rng.choice(out if out and process.turns > 12 else ways) if ways else ""
        play.finish(name, route=(way,) if way else ())
        process.complete(name, way)
    assert play.status is WorkflowStatus.COMPLETED
    assert play.state.scopes.keys() == {ROOT}


@settings(max_examples=settings().max_examples * 3)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_block_structured_processes_run_as_their_blocks_say(seed: int, depth: int) -> None:
    rng = random.Random(seed)
    run_both(draw_block(rng, _Names(), depth), rng)


@pytest.mark.parametrize("rework_comes_first", [True, False])
def test_parallel_loops_with_rework_inside_a_loop_with_rework(rework_comes_first: bool) -> None:
    branches: list[Block | None] = [
        Loop(name, Step(f"{name}_do"), Step(f"{name}_mend"), rework_comes_first) for name in "abc"
    ]
    block = Loop("whole", Branches("p", branches, True), Step("whole_mend"), rework_comes_first)
    for seed in range(50):
        run_both(block, random.Random(seed))
