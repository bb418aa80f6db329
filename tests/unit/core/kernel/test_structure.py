"""Facts about graphs: back edges, loops, and from where a join can still be reached."""

from __future__ import annotations

import random
from graphlib import CycleError, TopologicalSorter

import pytest
from tests.unit.core.kernel.flows import flow

from workflows_core.domain.graph import Edge, GroupNode, WorkflowGraph
from workflows_core.domain.structure import JoinReach, entries_of, find_back_edges, loops_of, reachable


def back(graph: WorkflowGraph) -> list[str]:
    """The back edges of a graph, readable."""
    return [f"{graph.edges[index].source}-{graph.edges[index].target}" for index in graph.back_edges]


def loops(graph: WorkflowGraph) -> dict[str, str]:
    """The loop of each back edge, readable."""
    found = loops_of(graph.nodes, graph.edges, graph.back_edges)
    return {
        f"{graph.edges[index].source}-{graph.edges[index].target}": " ".join(sorted(steps))
        for index, steps in found.items()
    }


def reach(graph: WorkflowGraph, join: str) -> JoinReach:
    """The reach of a join."""
    return JoinReach(join, graph.edges, loops_of(graph.nodes, graph.edges, graph.back_edges))


def test_back_edges_are_the_retreating_ones_of_a_walk_in_edge_order() -> None:
    assert back(flow("a -> b", "b -> c", "c -> a", "b -> a")) == ["c-a", "b-a"]
    assert back(flow("a -> b c", "b -> c", "c -> b")) == ["c-b"], "b was walked first"
    assert back(flow("a -> c b", "b -> c", "c -> b")) == ["b-c"], "c was walked first"
    assert back(flow("a -> a")) == ["a-a"]


def test_each_scope_is_walked_from_its_entry() -> None:
    graph = flow("group", "b -> a", "a -> b", group=GroupNode("sequential", ("a",)), scopes={"group": "a b"})
    assert back(graph) == ["b-a"]
    assert entries_of(graph, "group") == ("a",)


def test_edges_with_unknown_ends_are_left_out_of_the_walk() -> None:
    graph = flow("a -> b")
    assert (
        find_back_edges(graph.nodes, [*graph.edges, Edge("b", "nowhere"), Edge("nowhere", "a")], [("a", "gone")]) == ()
    )


def test_the_loop_of_a_back_edge_holds_the_steps_that_go_round() -> None:
    assert loops(flow("a -> b", "b -> c", "c -> b", "c -> d")) == {"c-b": "b c"}


def test_an_inner_loop_is_part_of_the_outer_one_and_not_the_other_way_round() -> None:
    graph = flow("a -> b", "b -> c", "c -> b", "c -> d", "d -> a")
    assert loops(graph) == {"c-b": "b c", "d-a": "a b c d"}


def test_two_ways_back_to_the_same_step_are_one_loop() -> None:
    assert loops(flow("a -> b c", "b -> a", "c -> a")) == {"b-a": "a b c", "c-a": "a b c"}


def test_loops_want_the_right_back_edges() -> None:
    graph = flow("a -> b", "b -> a")
    with pytest.raises(CycleError):
        loops_of(graph.nodes, graph.edges, ())


def test_a_join_expects_tokens_along_forward_edges() -> None:
    graph = flow("start -> a b", "a b -> end", "end -> last")
    assert set(reach(graph, "end").expected.values()) == {frozenset({"start", "a", "b"})}


def test_a_join_expects_nothing_round_a_loop_that_it_is_part_of() -> None:
    graph = flow("start -> a b", "a b -> end", "end -> check", "check -> start")
    assert reach(graph, "end").expected[2] == {"start", "a", "b"}


def test_a_join_expects_tokens_round_a_loop_that_has_not_sent_it_any() -> None:
    graph = flow("start -> a review", "a -> end", "review -> end", "review -> mend", "mend -> review")
    (from_a, from_review) = (index for index, edge in enumerate(graph.edges) if edge.target == "end")
    assert reach(graph, "end").expected[from_a] == {"start", "a", "review", "mend"}
    assert reach(graph, "end").expected[from_review] == {"start", "a", "review"}
    assert reach(graph, "end").expected[-1] == {"start", "a", "review", "mend"}


def test_tokens_come_over_an_edge_from_all_behind_it() -> None:
    graph = flow("start -> a review", "a -> end", "review -> end", "review -> mend", "mend -> review")
    found = reach(graph, "end")
    assert {found.forward[index]: set(steps) for index, steps in found.feeding.items()} == {
        "a": {"start", "a"},
        "review": {"start", "review", "mend"},
    }


def test_what_is_reachable_includes_the_start() -> None:
    assert reachable({"a": ["b"], "b": ["a", "c"]}, ["a"]) == {"a", "b", "c"}
    assert reachable({}, ["a"]) == {"a"}


def random_graph(rng: random.Random, size: int) -> WorkflowGraph:
    """Any graph, reducible or not."""
    names = [f"s{number}" for number in range(size)]
    moves = [f"{rng.choice(names)} -> {rng.choice(names)}" for _ in range(rng.randint(size, size * 3))]
    return flow(" ".join(names), *moves)


@pytest.mark.parametrize("seed", range(60))
def test_no_two_joins_ever_expect_tokens_from_each_other(seed: int) -> None:
    """Nor three or more in a ring, in any graph: what all of them could wait for would be a deadlock."""
    graph = random_graph(random.Random(seed), 9)
    waits_for = TopologicalSorter[str]()
    for join in graph.nodes:
        found = reach(graph, join)
        everything = frozenset().union(*found.expected.values(), *found.feeding.values())
        for step in everything:
            waits_for.add(join, step)
    waits_for.prepare()


@pytest.mark.parametrize("seed", range(60))
def test_the_forward_graph_has_no_cycle_and_every_cycle_is_inside_the_loop_of_one_of_its_back_edges(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(rng, 7)
    found = loops_of(graph.nodes, graph.edges, graph.back_edges)
    steps = list(graph.nodes)
    for _ in range(200):
        walk = [rng.randrange(len(graph.edges))]
        while len(walk) < 12 and graph.edges[walk[-1]].target != graph.edges[walk[0]].source:
            following = [index for index, edge in enumerate(graph.edges) if edge.source == graph.edges[walk[-1]].target]
            if not following:
                break
            walk.append(rng.choice(following))
        if graph.edges[walk[-1]].target == graph.edges[walk[0]].source:
            on_it = {graph.edges[index].source for index in walk}
            assert any(index in found and on_it <= found[index] for index in walk), f"{steps}: {walk}"
