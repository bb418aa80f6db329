"""Strongly connected components: the steps that can reach each other, which is what a loop is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

__all__ = ["cycles", "strongly_connected"]


def cycles(successors: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The components that contain a cycle; their order, and that of their steps, is the order of the mapping's keys."""
    order = {name: place for place, name in enumerate(successors)}
    found = [
        sorted(component, key=order.__getitem__)
        for component in strongly_connected(successors)
        if len(component) > 1 or component[0] in successors[component[0]]
    ]
    return sorted(found, key=lambda component: order[component[0]])


def strongly_connected(successors: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """All components, by Tarjan's algorithm without recursion; successors that are no keys are left out."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    candidates: list[str] = []
    waiting: set[str] = set()
    found: list[list[str]] = []

    def close(name: str) -> None:
        component: list[str] = []
        while not component or component[-1] != name:
            component.append(candidates.pop())
            waiting.discard(component[-1])
        found.append(component)

    def enter(name: str) -> tuple[str, Iterator[str]]:
        index[name] = lowest[name] = len(index)
        candidates.append(name)
        waiting.add(name)
        return name, (target for target in successors[name] if target in successors)

    for start in successors:
        stack = [enter(start)] if start not in index else []
        while stack:
            name, remaining = stack[-1]
            target = next((each for each in remaining if each not in index or each in waiting), None)
            if target is None:
                stack.pop()
                if stack:
                    lowest[stack[-1][0]] = min(lowest[stack[-1][0]], lowest[name])
                if lowest[name] == index[name]:
                    close(name)
            elif target in index:
                lowest[name] = min(lowest[name], index[target])
            else:
                stack.append(enter(target))
    return found
