"""What is wrong with a graph: everything at once, each with its place and its mend.

Reading order: `checks` (the list of checks), `view` (what they look at), `findings` (how they report). Each of the other modules is
one family of checks: `names`, `references`, `exits`, `loops`, `joins`, `overlaps` (joins that take each other's tokens), `data_names`,
`settings`.
"""

from __future__ import annotations

from workflows_core.domain.validation.checks import require_valid, validate_graph
from workflows_core.domain.validation.names import duplicate_names

__all__ = ["duplicate_names", "require_valid", "validate_graph"]
