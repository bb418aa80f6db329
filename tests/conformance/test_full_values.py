"""The values with which the kit asks whether a store loses something have something in every field that can be lost."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import pytest

from workflows_core.domain.state import ROOT, Scope
from workflows_testing.builders import an_instance
from workflows_testing.conformance.full_values import (
    ERROR,
    EXECUTION,
    FAILING,
    ITEMS,
    LAST,
    TOKEN,
    UNDO,
    WORK,
    full_scope,
    full_state,
)
from workflows_testing.faulty.states import FIELDS

PLACE = {"scope", "parent", "token", "home", "index"}
FROM_THE_START = {"created_by", "started_at", "metadata", "revision", "scopes"}
SPENT = {"delay_s", "due_at", "timeout_s", "keeps_timeout"}
SCOPE = full_scope(Scope(9, "parcel", ROOT, 8))
STATE = full_state(an_instance().state)


def defaults_of(value: msgspec.Struct) -> dict[str, object]:
    return {
        field.name: field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(value)
        if not field.required
    }


@pytest.mark.parametrize(
    ("value", "elsewhere"),
    [
        *((value, set[str]()) for value in (TOKEN, ITEMS, UNDO, FAILING, ERROR, LAST, EXECUTION)),
        (WORK, PLACE),
        (SCOPE, PLACE),
        (STATE, FROM_THE_START),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, msgspec.Struct) else "",
)
def test_no_field_is_as_it_is_by_default(value: msgspec.Struct, elsewhere: Collection[str]) -> None:
    same = {name for name, default in defaults_of(value).items() if getattr(value, name) == default}
    assert same - set(elsewhere) == set()


@pytest.mark.parametrize(
    "value", [TOKEN, ITEMS, UNDO, FAILING, ERROR, EXECUTION, WORK, SCOPE, STATE], ids=lambda value: type(value).__name__
)
def test_for_every_field_there_is_a_store_that_loses_it(value: msgspec.Struct) -> None:
    noticed_elsewhere = {"node", "child", "tokens", "data", "scopes", "revision", "status", "created_by"}
    known = {*FIELDS[type(value)], *noticed_elsewhere, *PLACE, *SPENT}
    assert defaults_of(value).keys() - known == set()
