"""A mechanism that a guarantee rests on, how to remove it, and what notices that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["MEMORY", "ON_POSTGRESQL", "ON_SQLITE", "ROOT", "Removal"]

ROOT: Final = Path(__file__).resolve().parents[2]

MEMORY: Final = "tests/conformance/test_memory_store.py::TestInMemoryWorkflowStore::"
ON_SQLITE: Final = "tests/conformance/test_sqlalchemy_store.py::TestStoreOnSQLite::"
ON_POSTGRESQL: Final = "tests/conformance/test_sqlalchemy_store.py::TestStoreOnPostgreSQLThroughAsyncpg::"
"""Where the rules of stores are tested; the name of a rule follows."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One small change of the code that takes one mechanism away.

    Attributes:
        guarantee: The guarantee, by its number.
        mechanism: What is taken away, as `docs/explanation/guarantees.md` says it; what is done in several places has one name.
        place: Where, if the mechanism is in several places.
        module: The module, below the ``src`` of its package.
        text: What stands there.
        times: How often it stands there; where the same condition is asked several times, it is taken away everywhere.
        instead: What is put there.
        fails: Tests that must fail then, as pytest names them.
        says: A regular expression that is found in what each of them says, so that it fails for the right reason.
    """

    guarantee: str
    mechanism: str
    place: str = ""
    module: str
    text: str
    times: int = 1
    instead: str
    fails: tuple[str, ...]
    says: str

    @property
    def name(self) -> str:
        """A name that can be given to ``pytest -k``."""
        return re.sub(r"\W+", "_", f"{self.guarantee} {self.mechanism} {self.place}".strip())

    @property
    def path(self) -> Path:
        """The file of the module."""
        (found,) = ROOT.glob(f"packages/*/src/{self.module}")
        return found

    @property
    def package(self) -> Path:
        """The directory of the package that has the module."""
        return self.path.parents[self.module.count("/") - 1]

    def apply(self, source: str) -> str:
        """The source of the module without the mechanism."""
        times = source.count(self.text)
        assert times == self.times, f"{self.name}: {self.module} has this {times} times, not {self.times}:\n{self.text}"
        return source.replace(self.text, self.instead)
