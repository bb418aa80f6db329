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
    """A class as it stands in the source."""

    name: str
    bases: tuple[str, ...]
    adapter: str | None
    methods: frozenset[str]
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


def test_no_rule_is_overridden(suites: dict[str, str], conformance_classes: list[Classes]) -> None:
    overriding = {
        f"{found.name}.{method}"
        for module in conformance_classes
        for found in _all(module)
        if {*suites.values(), DEPLOYMENTS} & _ancestors(found, module)
        for owner in _family(found, module)
        for method in owner.methods
        if method.startswith("test_")
    }
    assert overriding == set(), "a rule holds for every adapter; put tests of one adapter into a class of their own"


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
            methods = frozenset(
                item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
            )
            yield Class(node.name, bases, _assigned_adapter(node), methods, path)


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
