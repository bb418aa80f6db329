"""Settings that hold for all tests."""

from __future__ import annotations

from hypothesis import settings

# How long one example takes says something about the machine, not about the code. In CI, Hypothesis loads its own
# profile "ci", which has no deadline either and is deterministic.
settings.register_profile("workstation", deadline=None)
# For a night: `pytest tests/unit/core/kernel --hypothesis-profile deep --timeout 0`.
settings.register_profile("deep", deadline=None, max_examples=5000)
if settings.get_current_profile_name() == "default":
    settings.load_profile("workstation")
