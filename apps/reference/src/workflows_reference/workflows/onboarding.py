"""Employee onboarding, written as data: ``onboarding.json`` beside this module, over a catalogue of step types.

Accounts are made and equipment is ordered in parallel; the supplier reports the delivery at a signed address; a timer waits for the
first day; then human resources go through a check-list. Only the three step types of the catalogue are code.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

from workflows_core import StepCatalogue, WorkflowContext, WorkflowDefinition
from workflows_core.authoring.documents import definition_from_document
from workflows_reference.archive import Archive
from workflows_reference.records import Records
from workflows_reference.tables import accounts, deliveries

__all__ = ["OnboardingSteps", "employee_onboarding"]

_DOCUMENT: Final = "onboarding.json"


class OnboardingSteps:
    """The step types of the catalogue; their parameters after the context are their configuration.

    Args:
        records: Where accounts and orders are recorded.
        archive: Where letters are kept.
    """

    def __init__(self, records: Records, archive: Archive) -> None:
        self._records = records
        self._archive = archive

    def catalogue(self) -> StepCatalogue:
        """The catalogue, for the documents that use it."""
        catalogue = StepCatalogue()
        catalogue.register("create_account", self.create_account)
        catalogue.register("order_equipment", self.order_equipment)
        catalogue.register("write_letter", self.write_letter)
        return catalogue

    async def create_account(self, context: WorkflowContext, system: str) -> dict[str, str]:
        """Create an account in a system, once."""
        account = {"system": system, "login": str(context.get("login"))}
        await self._records.write(accounts, context, account)
        return account

    async def order_equipment(self, context: WorkflowContext, report_to: str) -> None:
        """Order the equipment, and tell the supplier at which webhook step to report its delivery."""
        order = {
            "item": context.get("equipment"),
            "recipient": context.get("name"),
            "callback_url": context.webhook_url(report_to),
        }
        await self._records.write(deliveries, context, order)

    async def write_letter(self, context: WorkflowContext, file: str) -> None:
        """Write the welcome letter into the archive."""
        delivery = context.get("delivery")
        text = (
            f"Welcome, {context.get('name')}!\n\n"
            f"Your login is {context.get('login')}. "
            f"Your {context.get('equipment')} has the serial number {delivery['serial_number']}.\n"
        )
        path = await self._archive.write(context.tenant_id or "", context.instance_id, file, text)
        context.set("letter", path)


def employee_onboarding(*, records: Records, archive: Archive) -> WorkflowDefinition:
    """The workflow, with what its steps need."""
    document = resources.files("workflows_reference.workflows").joinpath(_DOCUMENT).read_bytes()
    return definition_from_document(document, OnboardingSteps(records, archive).catalogue())
