"""Data: private to a step until it is finished, private to a scope unless mapped or reduced."""

from __future__ import annotations

import pytest
from tests.unit.core.kernel.flows import flow
from tests.unit.core.kernel.play import Play, encode

from workflows_core.domain.commands import Writes
from workflows_core.domain.graph import ForEachNode, GatewayNode, GroupNode
from workflows_core.domain.state import TOMBSTONE
from workflows_core.errors import ReducerError

GROUP = flow("group -> after", "a -> b", group=GroupNode("sequential", ("a",)), scopes={"group": "a b"})


def test_writes_and_deletions_of_a_step_are_applied_when_it_is_finished() -> None:
    play = Play(flow("a -> b"), x=1, y=2)
    play.finish("a", writes=Writes({"x": encode(5), "z": encode(3)}, deleted=("y", "never")))
    assert play.data == {"x": 5, "z": 3}


def test_a_failed_step_changes_no_data() -> None:
    assert Play(flow("a", "a -> b: on failure"), x=1).fail("a").data == {"x": 1}


def test_data_that_nobody_changed_are_not_written() -> None:
    play = Play(flow("a -> b"), x=1).run("a")
    assert not play.last.data_changed
    assert play.run("b", x=2).last.data_changed


def test_parallel_branches_merge_by_key_in_the_order_of_their_completion() -> None:
    play = Play(flow("start -> a b", "a b -> end"), x=0, y=0).run("start")
    play.run("b", x="b", y="b").run("a", x="a")
    assert play.data == {"x": "a", "y": "b"}


def test_branches_that_add_to_a_key_lose_nothing() -> None:
    graph = flow("start -> a b", "a b -> end", reducers={"total": "sum", "log": "append"})
    play = Play(graph, total=10).run("start")
    play.finish("a", writes=Writes(added=(("total", encode(1)), ("log", encode("a")))))
    play.finish("b", writes=Writes(added=(("total", encode(2)), ("log", encode("b")))))
    assert play.data == {"total": 13, "log": ["a", "b"]}


def test_what_is_added_inside_a_scope_goes_to_the_instance() -> None:
    graph = flow("group", group=GroupNode("sequential", ("a",)), scopes={"group": "a"}, reducers={"total": "sum"})
    play = Play(graph).finish("a", writes=Writes({"kept": encode(1)}, added=(("total", encode(4)),)))
    assert play.data == {"total": 4}


@pytest.mark.parametrize(("reducers", "value"), [({}, 1), ({"total": "sum"}, "much"), ({"total": "no_such"}, 1)])
def test_what_cannot_be_added_is_refused_and_nothing_changes(reducers: dict[str, str], value: object) -> None:
    play = Play(flow("a -> b", reducers=reducers), total=1)
    with pytest.raises(ReducerError, match="total"):
        play.finish("a", writes=Writes(added=(("total", encode(value)),)))
    assert play.at == "a"
    assert play.data == {"total": 1}


def test_an_inner_scope_sees_the_data_around_it_and_keeps_its_writes_to_itself() -> None:
    play = Play(GROUP, x=1, y=1)
    assert play.seen("a") == {"x": 1, "y": 1}
    play.run("a", x=2)
    assert play.seen("b") == {"x": 2, "y": 1}
    assert play.data == {"x": 1, "y": 1}
    play.run("b", z=3)
    assert play.at == "after"
    assert play.data == {"x": 1, "y": 1}


def test_a_change_outside_is_seen_inside_unless_it_is_hidden_there() -> None:
    graph = flow("start -> group other", "a -> b", group=GroupNode("sequential", ("a",)), scopes={"group": "a b"})
    play = Play(graph, x=1, y=1).run("start").run("a", x="inner").run("other", x="outer", y="outer")
    assert play.seen("b") == {"x": "inner", "y": "outer"}


def test_a_key_that_is_deleted_inside_is_gone_there_and_stays_outside() -> None:
    play = Play(GROUP, x=1, y=2).finish("a", writes=Writes(deleted=("x",)))
    inner = play.state.scopes[play.place("b").scope]
    assert inner.data == {"x": TOMBSTONE}
    assert play.seen("b") == {"y": 2}
    play.run("b", x=3)
    assert play.data == {"x": 1, "y": 2}


def test_a_tombstone_reaches_through_several_scopes() -> None:
    graph = flow(
        "outer", "a -> inner", outer=GroupNode("sequential", ("a",)), inner=GroupNode("sequential", ("b",)),
        scopes={"outer": "a inner", "inner": "b"},
    )  # fmt: skip
    play = Play(graph, x=1, y=2).finish("a", writes=Writes(deleted=("x",)))
    assert play.seen("b") == {"y": 2}


def test_outputs_map_inner_keys_to_outer_ones_when_the_group_succeeds() -> None:
    graph = flow(
        "group", group=GroupNode("sequential", ("a",), outputs={"x": "outer_x", "gone": "outer_gone", "never": "outer_never"}),
        scopes={"group": "a"},
    )  # fmt: skip
    play = Play(graph, gone=1, outer_x=0).finish("a", writes=Writes({"x": encode(7)}, deleted=("gone",)))
    assert play.data == {"gone": 1, "outer_x": 7}, "only what was written inside is mapped"


def test_outputs_of_a_group_that_fails_are_not_mapped() -> None:
    graph = flow(
        "group", "group -> mend: on failure", "a -> b",
        group=GroupNode("sequential", ("a",), outputs={"x": "x"}), scopes={"group": "a b"},
    )  # fmt: skip
    assert Play(graph, x=0).run("a", x=1).fail("b").data == {"x": 0}


def test_the_result_of_a_group_goes_into_one_key_of_the_scope_around_it() -> None:
    graph = flow(
        "outer -> end", "inner -> last", outer=GroupNode("sequential", ("inner",), outputs={"found": "found"}),
        inner=GroupNode("sequential", ("a",), into="found"), scopes={"outer": "inner last", "inner": "a"},
    )  # fmt: skip
    play = Play(graph).run("a", result=42)
    assert play.seen("last") == {"found": 42}
    assert play.data == {}
    assert play.run("last").data == {"found": 42}


def test_conditions_inside_a_scope_see_its_data() -> None:
    graph = flow(
        "group",
        "a -> b: if x == 2",
        "a -> c: default",
        group=GroupNode("sequential", ("a",)),
        scopes={"group": "a b c"},
    )
    assert Play(graph, x=1).run("a", x=2).at == "b group"


def test_an_item_sees_itself_and_its_place_and_the_data_around_it() -> None:
    graph = flow("loop", loop=ForEachNode("work", "orders", item="order", index="n"), scopes={"loop": "work"})
    play = Play(graph, orders=["a", "b"], x=1)
    assert play.seen("work", 1) == {"orders": ["a", "b"], "x": 1, "order": "b", "n": 1}


def test_items_keep_their_writes_to_themselves() -> None:
    graph = flow(
        "loop -> end", "a -> b", loop=ForEachNode("pack", "orders"), pack=GroupNode("sequential", ("a",)),
        scopes={"loop": "pack", "pack": "a b"},
    )  # fmt: skip
    play = Play(graph, orders=["a", "b"]).run("a", item=0, mine=0).run("a", item=1)
    assert play.seen("b", 0)["mine"] == 0
    assert "mine" not in play.seen("b", 1)
    play.work_off()
    assert play.data == {"orders": ["a", "b"]}


def test_forms_inside_a_scope_stay_there() -> None:
    from workflows_core.domain.graph import HumanNode

    graph = flow(
        "group -> end", "ask -> b", group=GroupNode("sequential", ("ask",)), ask=HumanNode(), scopes={"group": "ask b"}
    )
    play = Play(graph, forms={"before": {}}).complete("ask", {"ok": True})
    assert play.seen("b") == {"forms": {"before": {}, "ask": {"ok": True}}, "ok": True}
    assert play.data == {"forms": {"before": {}}}


def test_a_gateway_behind_a_group_sees_what_the_group_has_mapped() -> None:
    graph = flow(
        "group -> choice", "choice -> yes: if ok", "choice -> no: default", choice=GatewayNode(),
        group=GroupNode("sequential", ("a",), outputs={"ok": "ok"}), scopes={"group": "a"},
    )  # fmt: skip
    assert Play(graph, ok=False).run("a", ok=True).at == "yes"
