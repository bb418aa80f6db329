"""How workflows are written: classes, decorators and data, all compiled to one graph.

Reading order: `context` (what a step gets), `step`, `human`, `gateway`, `timer`, `webhook` and `groups` (what steps are written
from), `edge` and `definition` (how they become a workflow), `workflow` and `decorators` (the same as classes), `catalogue` and
`documents` (the same as data), `registry`. `code` is what a worker calls, `parameters` what it wants beside the context. The
compiler begins at `compiler`: `step_compiler` makes nodes of steps, `edge_compiler` edges, `successors` reads what functions
return, `storable` gives the graph its one form.
"""

from __future__ import annotations
