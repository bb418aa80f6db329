"""Closes the objects of a form: fields that the schema does not name are refused."""

from __future__ import annotations

from typing import Any, Final

from workflows_core.domain.schema_structure import find_anchors, schemas_of_same_value

__all__ = ["close_objects"]

_SAYS: Final = frozenset({"additionalProperties", "unevaluatedProperties"})
_SAME_VALUE: Final = frozenset({"$ref", "allOf", "anyOf", "dependentSchemas", "if", "oneOf"})
_MAPS_OF_VALUES: Final = ("patternProperties", "properties")


def close_objects(root: dict[str, Any]) -> dict[str, Any]:
    """Copy the schema of a form with all objects closed that have fields and do not say `additionalProperties` themselves.

    Objects that are declared inside of ``allOf``, ``anyOf``, ``oneOf`` and ``if`` are left as they are: there, two schemas can
    describe one object together.
    """
    closed: dict[str, Any] = _Closing(root).closed(root, is_root=True)
    return closed


class _Closing:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._anchors = find_anchors(root)

    def closed(self, schema: Any, *, is_root: bool = False) -> Any:
        """Close the object that a schema describes, and the objects in it."""
        if not isinstance(schema, dict):
            return schema
        copy = self._with_closed_parts(schema)
        if not _SAYS & schema.keys() and (is_root or self._names_fields(schema)):
            copy["unevaluatedProperties" if _SAME_VALUE & schema.keys() else "additionalProperties"] = False
        return copy

    def _with_closed_parts(self, schema: dict[str, Any]) -> dict[str, Any]:
        copy = dict(schema)
        for keyword in _MAPS_OF_VALUES:
            if keyword in schema:
                copy[keyword] = {name: self.closed(child) for name, child in schema[keyword].items()}
        if "prefixItems" in schema:
            copy["prefixItems"] = [self.closed(child) for child in schema["prefixItems"]]
        for keyword in ("items", "additionalProperties"):
            if keyword in schema:
                copy[keyword] = self.closed(schema[keyword])
        for keyword in ("$defs", "definitions"):
            if keyword in schema:
                copy[keyword] = {
                    name: self._with_closed_parts(child) if isinstance(child, dict) else child
                    for name, child in schema[keyword].items()
                }
        return copy

    def _names_fields(self, schema: dict[str, Any]) -> bool:
        described = schemas_of_same_value(self._root, self._anchors, schema)
        return any("properties" in each or "patternProperties" in each for each in described)
