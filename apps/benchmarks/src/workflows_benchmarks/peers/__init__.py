"""Other libraries at the same work, each in an environment of its own.

Each peer is a script that names its dependencies itself (inline script metadata), so that ``uv run --script`` installs them on demand
and they never meet ours. A script prints one line of JSON. It imports nothing of ours but `workflows_benchmarks.peers.clients`.
"""

from __future__ import annotations
