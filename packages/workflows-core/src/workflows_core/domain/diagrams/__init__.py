"""Pictures of a graph as text: Mermaid and Graphviz DOT.

`outline` says what is drawn, whatever the language; `mermaid` and `graphviz` write it down. Names of steps never become part of the
syntax: what is drawn has generated ids, and labels keep only characters that mean nothing to the language, so no name can break a
diagram or put anything into it. Graphs that are not valid can be drawn too; references that lead nowhere are left out.
"""

from __future__ import annotations

from workflows_core.domain.diagrams.graphviz import to_graphviz
from workflows_core.domain.diagrams.mermaid import DIRECTIONS, to_mermaid, to_mermaid_with_state

__all__ = ["DIRECTIONS", "to_graphviz", "to_mermaid", "to_mermaid_with_state"]
