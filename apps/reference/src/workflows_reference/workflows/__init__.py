"""Three workflows, each written in another style; all three styles compile to the same kind of definition.

Each module has a function that makes its workflow out of the services that its steps need. `workflows_reference.ioc` calls them.
"""

from __future__ import annotations
