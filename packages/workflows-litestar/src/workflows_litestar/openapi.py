"""What the plugin adds to the OpenAPI document of the application."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Final

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Schema, Tag
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

from workflows_litestar.schemas.bodies import RequestBody

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator

__all__ = ["ADMIN_TAG", "WORKFLOW_TAGS", "StrictBodySchemas", "with_tags"]

DEFINITIONS_TAG: Final = "Workflow Definitions"
INSTANCES_TAG: Final = "Workflow Instances"
DEAD_LETTERS_TAG: Final = "Dead Letters"
TASKS_TAG: Final = "Human Tasks"
WEBHOOKS_TAG: Final = "Workflow Webhooks"
ADMIN_TAG: Final = "Workflow Administration"

WORKFLOW_TAGS: Final = (
    Tag(name=DEFINITIONS_TAG, description="Workflow definitions, their versions and their drawings."),
    Tag(name=INSTANCES_TAG, description="Start, watch and steer workflow instances."),
    Tag(
        name=DEAD_LETTERS_TAG, description="Instances that wait for an operator, because a step or its undoing failed."
    ),
    Tag(name=TASKS_TAG, description="Tasks that wait for people."),
    Tag(name=WEBHOOKS_TAG, description="Signed addresses at which other systems answer."),
    Tag(name=ADMIN_TAG, description="What operators see, across tenants."),
)


class StrictBodySchemas(OpenAPISchemaPlugin):
    """Says in the schema what the decoder enforces: request bodies have no additional properties.

    Litestar leaves ``forbid_unknown_fields`` of msgspec out of its schemas.
    """

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether the field is one of our request bodies."""
        return not field_definition.is_union and field_definition.is_subclass_of(RequestBody)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """The schema that the next plugin makes, closed."""
        plugin = next(
            other
            for other in schema_creator.plugins
            if other is not self and schema_creator.plugin_supports_field(other, field_definition)
        )
        schema = plugin.to_openapi_schema(field_definition=field_definition, schema_creator=schema_creator)
        schema.additional_properties = False
        return schema


def with_tags(config: OpenAPIConfig) -> OpenAPIConfig:
    """A copy of the configuration that describes our tags; those of the application's own are kept."""
    described = copy(config)  # `dataclasses.replace` would hand over deprecated fields, and warn of them
    known = {tag.name for tag in config.tags or ()}
    described.tags = [*(config.tags or ()), *(tag for tag in WORKFLOW_TAGS if tag.name not in known)]
    return described
