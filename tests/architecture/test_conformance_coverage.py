"""Every adapter of every port passes the conformance kit of that port, whole."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Class:
    """A class as it stands in the source; its rules are what its own body calls ``test_…``, whatever it is."""

    name: str
    bases: tuple[str, ...]
    adapter: str | None
    rules: frozenset[str]
    module: Path


DEPLOYMENTS = "ExecutorDeploymentConformance"
"""A second suite of one port."""

ALONE = {
    "NullExecutor": "it reaches nobody; with it, workers find all work by themselves",
    "FaultyExecutor": "it is part of the deployments of others",
    "FaultyWakeUps": "the same",
    "NetworkExecutor": "it belongs to the simulation, which has no processes",
}
"""Executors without a deployment of their own, and why."""

LEFT_OUT = {"skip", "skipif", "xfail", "importorskip"}
"""How pytest is told that a test need not pass."""

Classes = dict[str, list[Class]]
"""Classes by name, which need not be unique."""


@pytest.fixture(scope="module")
def product(product_modules: list[Path]) -> Classes:
    """The classes of packages and apps, but those that are broken on purpose."""
    return _by_name(path for path in product_modules if "faulty" not in path.parts)


@pytest.fixture(scope="module")
def ports(product: Classes) -> frozenset[str]:
    """The protocols of the core's ports."""
    return frozenset(
        found.name for found in _all(product) if found.module.parent.name == "ports" and "Protocol" in found.bases
    )


@pytest.fixture(scope="module")
def conformance_classes(root: Path) -> list[Classes]:
    """The classes of each module of conformance tests."""
    return [_by_name([path]) for path in sorted(root.glob("tests/conformance/**/*.py"))]


@pytest.fixture(scope="module")
def suites(root: Path) -> dict[str, str]:
    """The suite of each port, by the name of the port."""
    kit = root / "packages/workflows-testing/src/workflows_testing/conformance/__init__.py"
    names = {alias.name for node in _imports(kit) for alias in node.names} - {DEPLOYMENTS}
    return {name.removesuffix("Conformance"): name for name in names if name.endswith("Conformance")}


@pytest.fixture(scope="module")
def areas(root: Path, suites: dict[str, str]) -> dict[str, set[str]]:
    """The suites that each class of rules is part of; a suite is part of itself."""
    kit = _by_name(sorted(root.glob("packages/workflows-testing/src/workflows_testing/conformance/*.py")))
    found: dict[str, set[str]] = {}
    for suite in {*suites.values(), DEPLOYMENTS}:
        found.setdefault(suite, set()).add(suite)
        for area in _family(kit[suite][0], kit):
            if area.rules:
                found.setdefault(area.name, set()).add(suite)
    return found


def test_every_port_has_a_conformance_kit(ports: frozenset[str], suites: dict[str, str]) -> None:
    assert ports == suites.keys()


def test_every_adapter_passes_the_kit_of_its_port(
    product: Classes,
    ports: frozenset[str],
    suites: dict[str, str],
    conformance_classes: list[Classes],
) -> None:
    wanted = {
        (found.name, suites[port])
        for found in _all(product)
        for port in _ancestors(found, product)
        if port in ports and not {"Protocol", "ABC"} & set(found.bases)
    }
    passed = {
        (adapter, suite)
        for module in conformance_classes
        for found in _all(module)
        if found.name.startswith("Test") and (adapter := _adapter(found, module)) is not None
        for suite in _ancestors(found, module)
    }
    assert wanted, "no adapter was found: this test looks in the wrong place"
    assert wanted - passed == set(), "subclass these kits in tests/conformance, each with `adapter = …`"


def test_every_executor_is_tested_at_work(product: Classes, conformance_classes: list[Classes]) -> None:
    executors = {
        found.name
        for found in _all(product)
        if "StepExecutor" in _ancestors(found, product) and not {"Protocol", "ABC"} & set(found.bases)
    }
    deployed = {
        adapter
        for module in conformance_classes
        for found in _all(module)
        if DEPLOYMENTS in _ancestors(found, module) and (adapter := _adapter(found, module)) is not None
    }
    assert executors - deployed == ALONE.keys(), f"subclass {DEPLOYMENTS} in tests/conformance/executors"


def test_whoever_passes_some_rules_of_a_suite_passes_all(
    areas: dict[str, set[str]], conformance_classes: list[Classes]
) -> None:
    partial = {
        f"{found.name} has {area} only"
        for module in conformance_classes
        for found in _all(module)
        for area in areas.keys() & _ancestors(found, module)
        if areas[area].isdisjoint(_ancestors(found, module))
    }
    assert DEPLOYMENTS in areas["DeploymentMishaps"], "the areas are not found: this test looks in the wrong place"
    assert partial == set(), "subclass the suite, not a part of it"


def test_no_rule_is_overridden(areas: dict[str, set[str]], conformance_classes: list[Classes]) -> None:
    overriding = {
        f"{owner.name}.{rule}"
        for module in conformance_classes
        for found in _all(module)
        if areas.keys() & _ancestors(found, module)
        for owner in _family(found, module)
        for rule in owner.rules
    }
    assert overriding == set(), "a rule holds for every adapter; put tests of one adapter into a class of their own"


def test_no_rule_is_left_out(root: Path) -> None:
    left_out = {
        f"{path.relative_to(root)}:{node.lineno}"
        for path in sorted(root.glob("tests/conformance/**/*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and (node.attr in LEFT_OUT or _is_rebound(node)))
        or (isinstance(node, ast.alias) and node.name in LEFT_OUT)
    }
    assert left_out == set(), "an adapter that cannot pass a rule is not an adapter of that port"


def _by_name(paths: Iterable[Path]) -> Classes:
    known: Classes = {}
    for path in paths:
        for found in _classes(path):
            known.setdefault(found.name, []).append(found)
    return known


def _all(known: Classes) -> Iterator[Class]:
    return itertools.chain.from_iterable(known.values())


def _classes(path: Path) -> Iterator[Class]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            bases = tuple(_name(base) for base in node.bases)
            rules = frozenset(name for item in node.body for name in _bound(item) if name.startswith("test_"))
            yield Class(node.name, bases, _assigned_adapter(node), rules, path)


def _bound(item: ast.stmt) -> Iterator[str]:
    """The names that a statement in the body of a class binds, or unbinds."""
    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield item.name
    else:
        yield from (node.id for node in ast.walk(item) if isinstance(node, ast.Name) and not _is_read(node))


def _is_rebound(node: ast.Attribute) -> bool:
    """Whether something else is put in the place of a rule, as in ``TestIt.test_that = None``."""
    return node.attr.startswith("test_") and not _is_read(node)


def _is_read(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load)


def _assigned_adapter(node: ast.ClassDef) -> str | None:
    """What ``adapter = Name`` in the body of a class says."""
    for item in node.body:
        targets = (
            item.targets if isinstance(item, ast.Assign) else [item.target] if isinstance(item, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "adapter" for target in targets):
            value = getattr(item, "value", None)
            return _name(value) if value is not None else None
    return None


def _name(node: ast.expr) -> str:
    """The last part of a dotted name; of ``Name[…]`` that of ``Name``."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _imports(path: Path) -> Iterator[ast.ImportFrom]:
    return (node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ImportFrom))


def _family(found: Class, known: Classes) -> Iterator[Class]:
    """A class and those of its ancestors that are known."""
    yield found
    for base in found.bases:
        for parent in known.get(base, ()):
            if parent.name != found.name:
                yield from _family(parent, known)


def _ancestors(found: Class, known: Classes) -> set[str]:
    return {base for owner in _family(found, known) for base in owner.bases}


def _adapter(found: Class, known: Classes) -> str | None:
    return next((owner.adapter for owner in _family(found, known) if owner.adapter is not None), None)
