"""``ForEach`` among other things: nested, in loops, over groups and sub-graphs."""

from __future__ import annotations

import random

import pytest
from tests.unit.core.kernel.flows import FORK, flow
from tests.unit.core.kernel.play import Play, kinds_of

from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, WorkflowGraph
from workflows_core.domain.state import Items
from workflows_core.domain.types import WorkflowStatus


def items_of(play: Play, step: str = "loop") -> Items:
    """The counters of a running ``ForEach``."""
    ((_, token),) = play.places(step)
    assert token.items is not None
    return token.items


def nested() -> WorkflowGraph:
    """``rows`` over ``table``; each is a ``cells`` over the row."""
    return flow(
        "rows -> end", scopes={"rows": "cells", "cells": "work"}, rows=ForEachNode("cells", "table", item="row", concurrency=1, into="done"),
        cells=ForEachNode("work", "row", item="cell", concurrency=2),
    )  # fmt: skip


def test_an_item_that_is_stored_and_activated_in_one_decision_is_written_once_and_knows_its_data() -> None:
    play = Play(nested(), table=[[], ["c"]])
    assert play.at == "cells.1 rows work.0"
    assert play.seen("work")["cell"] == "c"


def test_busy_items_are_counted_through_groups_and_other_loops_whatever_made_them_wait() -> None:
    graph = flow(
        "rows", "work -> ask", scopes={"rows": "row", "row": "cells", "cells": "cell", "cell": "work ask"},
        rows=ForEachNode("row", "table", item="row"), row=GroupNode("sequential", ("cells",)),
        cells=ForEachNode("cell", "row", item="cell"), cell=GroupNode("sequential", ("work",)), ask=HumanNode(computed=True),
    )  # fmt: skip
    play = Play(graph, table=[[1, 2]])
    assert play.run("work", item=0).prepare("ask", item=0).status is WorkflowStatus.RUNNING
    assert play.run("work", item=1).prepare("ask", item=1).status is WorkflowStatus.WAITING
    assert items_of(play, "rows").busy == 0
    assert play.complete("ask", item=0).status is WorkflowStatus.WAITING
    assert play.complete("ask", item=1).status is WorkflowStatus.RUNNING
    assert items_of(play, "rows").busy == 1


def test_a_body_may_be_a_group_and_its_result_is_the_items() -> None:
    graph = flow(
        "loop -> end", "a -> b", scopes={"loop": "pack", "pack": "a b"}, loop=ForEachNode("pack", "orders", concurrency=1, into="done"),
        pack=GroupNode("sequential", ("a",)),
    )  # fmt: skip
    play = Play(graph, orders=["x", "y"]).run("a").run("b", result="X").run("a").run("b", result="Y").gather("loop")
    assert play.data["done"] == ["X", "Y"]


def test_loops_nest() -> None:
    play = Play(nested(), table=[["a", "b"], [], ["c"]])
    assert play.at == "cells.0 rows work.0 work.1"
    assert play.seen("work", 1) == {"table": [["a", "b"], [], ["c"]], "row": ["a", "b"], "index": 1, "cell": "b"}
    play.run("work", item=0, result="A").run("work", item=1, result="B").gather("cells", item=0)
    assert kinds_of(play.now_due) == ["enter cells"], "the next row has to be read before its cells are known"
    play.enter("cells").enter("cells").run("work", result="C").gather("cells").gather("rows")
    assert play.data["done"] == [["A", "B"], [], ["C"]]
    assert not play.rows


def test_a_failing_item_of_an_inner_loop_fails_the_outer_one() -> None:
    play = Play(nested(), table=[["a", "b"], ["c"]]).fail("work", item=1)
    assert play.status is WorkflowStatus.FAILED
    assert play.history == ["work!failed", "cells!failed", "rows!failed", "work!canceled"]
    assert not play.discard().rows


def test_nested_loops_are_cancelled_with_all_their_items() -> None:
    play = Play(nested(), table=[["a", "b"], ["c"]]).cancel()
    assert play.history == ["work!canceled", "work!canceled", "cells!canceled", "rows!canceled"]
    assert not play.rows


def test_a_loop_round_a_for_each_gives_it_new_items_under_the_same_token() -> None:
    graph = flow(
        "loop -> check",
        "check -> loop: if again",
        "check -> end: default",
        scopes={"loop": "work"},
        loop=ForEachNode("work", "orders", into="done"),
    )
    play = Play(graph, orders=["a", "b"], again=True)
    token, first = play.places("loop")[0][1].id, items_of(play)
    play.run("work", item=0, result=1).run("work", item=1, result=2).gather("loop").run("check", orders=["c"])
    assert play.places("loop")[0][1].id == token
    assert items_of(play).first > first.first + 1
    play.run("work", result=3).gather("loop").run("check", again=False)
    assert play.data["done"] == [3]
    assert play.at == "end"


def test_a_failure_edge_may_lead_back_to_the_for_each_itself() -> None:
    graph = flow("loop -> end", "loop -> loop: on failure", scopes={"loop": "work"}, loop=ForEachNode("work", "orders"))
    play = Play(graph, orders=["a", "b"]).fail("work", item=1)
    assert play.at == "loop work.0 work.1"
    assert items_of(play).busy == 2
    assert len(play.rows) == 2


def test_a_fork_inside_an_item_ends_the_item_with_its_last_token() -> None:
    graph = flow(
        "loop -> end", "a -> b c", scopes={"loop": "a b c"}, loop=ForEachNode("a", "orders", concurrency=1), a=FORK
    )
    play = Play(graph, orders=[1, 2]).run("b")
    assert play.at == "c.0 loop"
    play.run("c")
    assert play.enter("a").at == "b.1 c.1 loop"


def test_a_for_each_that_fails_while_it_opens_writes_no_item() -> None:
    graph = flow(
        "loop -> end", "loop -> mend: on failure", scopes={"loop": "choice", "choice": "x"}, loop=ForEachNode("choice", "orders", concurrency=2),
        choice=GroupNode("conditional", branches={"x": "x"}, selector="1 / item"),
    )  # fmt: skip
    play = Play(graph, orders=[1, 0, 5])
    assert play.at == "mend"
    assert not play.rows
    assert not play.last.items


def test_terminal_for_the_instance_ends_it_from_inside_an_item() -> None:
    graph = flow(
        "loop",
        scopes={"loop": "work"},
        terminal={"work": "instance"},
        loop=ForEachNode("work", "orders", concurrency=2),
    )
    play = Play(graph, orders=[1, 2, 3]).run("work", item=1)
    assert play.status is WorkflowStatus.COMPLETED
    assert play.history == ["work", "work!canceled", "loop!canceled"]
    assert not play.rows


def test_an_instance_fails_from_inside_an_item_when_no_edge_can_be_taken() -> None:
    graph = flow(
        "loop", "work -> a: if never", scopes={"loop": "work a"}, loop=ForEachNode("work", "orders", concurrency=2)
    )
    play = Play(graph, orders=[1, 2, 3], never=False).run("work", item=0)
    assert play.status is WorkflowStatus.FAILED
    assert not play.discard().rows


def test_joins_inside_items_know_only_their_own_item() -> None:
    graph = flow("loop", "a -> b c", "b c -> d", scopes={"loop": "a b c d"}, loop=ForEachNode("a", "orders"))
    play = Play(graph, orders=[1, 2]).run("a", item=0).run("a", item=1).run("b", item=0)
    assert play.at == "b.1 c.0 c.1 (d.0) loop"
    assert play.run("c", item=0).at == "b.1 c.1 d.0 loop"


@pytest.mark.parametrize("seed", range(10))
def test_nested_loops_and_groups_come_to_an_end_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    play = Play(nested(), table=[list(range(rng.randint(0, 4))) for _ in range(rng.randint(0, 4))])
    play.work_off(rng, work="x")
    assert play.status is WorkflowStatus.COMPLETED
    assert all(set(row) <= {"x"} for row in play.data["done"])


def test_a_move_inside_an_inner_item_writes_only_that_item() -> None:
    graph = flow(
        "rows", "work -> more", scopes={"rows": "cells", "cells": "work more"}, rows=ForEachNode("cells", "table", item="row"),
        cells=ForEachNode("work", "row", item="cell"),
    )  # fmt: skip
    play = Play(graph, table=[[1, 2], [3]])
    inner = play.place("work", 1).scope
    play.run("work", item=1)
    assert [scope.id for scope in play.last.items] == [inner]


def test_an_item_that_ended_in_the_decision_that_fails_its_loop_leaves_no_result() -> None:
    graph = flow(
        "loop -> end", "loop -> mend: on failure", scopes={"loop": "choice", "choice": "x"},
        loop=ForEachNode("choice", "orders", concurrency=1),
        choice=GroupNode("conditional", branches={"x": "x"}, selector="1 / item"),
    )  # fmt: skip
    play = Play(graph, orders=[1, 0, 5])
    assert play.at == "mend"
    assert play.history == ["choice", "choice!failed", "loop!failed"]
    assert not play.last.item_results
