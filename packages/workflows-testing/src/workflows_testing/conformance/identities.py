"""Rules for every `IdGenerator`."""

from __future__ import annotations

import pytest

from workflows_core.ports.ids import IdGenerator

__all__ = ["IdGeneratorConformance"]


class IdGeneratorConformance:
    """The suite; override the fixture ``ids``.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def ids(self) -> IdGenerator:
        """The generator under test."""
        msg = f"{type(self).__name__} must override the fixture `ids`"
        raise TypeError(msg)

    def test_no_identity_is_given_twice(self, ids: IdGenerator) -> None:
        assert len({ids.new() for _ in range(10_000)}) == 10_000

    def test_identities_are_of_version_7(self, ids: IdGenerator) -> None:
        assert ids.new().version == 7

    def test_identities_ascend(self, ids: IdGenerator) -> None:
        given = [ids.new() for _ in range(10_000)]
        assert given == sorted(given)
