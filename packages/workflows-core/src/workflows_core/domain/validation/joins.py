"""The joins that an author asked for make sense where they stand."""

from __future__ import annotations

from workflows_core.domain.validation.findings import Findings, about_step
from workflows_core.domain.validation.view import GraphView

__all__ = ["check_joins"]


def check_joins(view: GraphView) -> Findings:
    """Counts of ``n``, joins with nothing to join, and ``all`` in a loop."""
    for name, node in view.graph.nodes.items():
        kind = node.join.kind
        incoming = view.incoming[name]
        if kind == "n" and not 1 <= node.join.count <= max(len(incoming), 1):
            message = f"its join wants {node.join.count} tokens, but {len(incoming)} edges lead to it"
            mend = f"want at least 1 and at most {max(len(incoming), 1)}"
            yield about_step(view, name, "bad_join_count", message, mend)
        elif kind in {"all", "any", "n"} and len(incoming) < 2 and name not in view.claimed:
            edges = "one edge leads" if incoming else "no edge leads"
            message = f"its join is {kind!r}, but {edges} to it"
            yield about_step(view, name, "needless_join", message, "leave the join out", is_warning=True)
        back = [edge.source for index, edge in incoming if index in view.back]
        if kind == "all" and back:
            message = (
                f"its join wants a token on each edge, but the edge from {back[0]!r} comes back in a later round, alone"
            )
            mend = "let the loop come back to a step before the branches, or leave the join out"
            yield about_step(view, name, "all_join_in_loop", message, mend, is_warning=True)
