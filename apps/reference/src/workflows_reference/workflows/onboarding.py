"""Employee onboarding, written as data: steps by name, and a list of edges.

Accounts are made and equipment is ordered in parallel; the supplier reports the delivery at a signed address; a timer waits for the
first day; then human resources go through a check-list.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    ScheduledStep,
    WebhookStep,
    WorkflowContext,
    WorkflowDefinition,
)
from workflows_reference.archive import Archive
from workflows_reference.records import Records
from workflows_reference.tables import accounts, deliveries

__all__ = ["employee_onboarding"]


class NewEmployee(msgspec.Struct, forbid_unknown_fields=True):
    """Who begins, and when."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    login: Annotated[str, Meta(pattern="^[a-z][a-z0-9.-]{1,30}$")]
    first_day: datetime
    equipment: Annotated[str, Meta(min_length=1, max_length=200)] = "laptop"


class Delivery(msgspec.Struct):
    """What the supplier says when it has delivered."""

    serial_number: Annotated[str, Meta(min_length=1, max_length=100)]


class CheckList(msgspec.Struct, forbid_unknown_fields=True):
    """The form of the first day."""

    badge_handed_over: bool
    safety_briefing_held: bool
    remarks: Annotated[str, Meta(max_length=2000)] = ""


class Prepare(BaseMachineStep):
    """Fill in what the request may leave out."""

    async def execute(self, context: WorkflowContext) -> None:
        """Choose the equipment."""
        context.data.setdefault("equipment", "laptop")


class CreateAccount(BaseMachineStep):
    """Create an account in one system, once."""

    def __init__(self, system: str, records: Records) -> None:
        super().__init__(description=f"Create an account in {system}.")
        self._system = system
        self._records = records

    async def execute(self, context: WorkflowContext) -> dict[str, str]:
        """Record the account under the key of this step execution."""
        account = {"system": self._system, "login": context.get("login")}
        await self._records.write(accounts, context, account)
        return account


class OrderEquipment(BaseMachineStep):
    """Order the equipment, and tell the supplier where to report its delivery."""

    def __init__(self, records: Records) -> None:
        super().__init__()
        self._records = records

    async def execute(self, context: WorkflowContext) -> None:
        """Record the order with the signed address of the step that waits for the delivery."""
        order = {
            "item": context.get("equipment"),
            "recipient": context.get("name"),
            "callback_url": context.webhook_url("equipment_delivered"),
        }
        await self._records.write(deliveries, context, order)


class FirstDay(ScheduledStep):
    """Wait for the first day; if it has passed already, go on at once."""

    async def get_delay(self, context: WorkflowContext) -> datetime:
        """The moment in the data; without an offset it is UTC."""
        moment = datetime.fromisoformat(context.get("first_day"))
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class Welcome(BaseMachineStep):
    """Write the welcome letter."""

    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self._archive = archive

    async def execute(self, context: WorkflowContext) -> None:
        """Render the letter into the archive."""
        text = (
            f"Welcome, {context.get('name')}!\n\n"
            f"Your login is {context.get('login')}. "
            f"Your {context.get('equipment')} has the serial number {context.get('delivery')['serial_number']}.\n"
        )
        path = await self._archive.write(context.tenant_id or "", context.instance_id, "welcome.txt", text)
        context.set("letter", path)


def employee_onboarding(*, records: Records, archive: Archive) -> WorkflowDefinition:
    """The workflow, with what its steps need."""
    return WorkflowDefinition(
        "employee_onboarding",
        "1.0.0",
        "Accounts and equipment in parallel, the supplier's call, the first day, a check-list.",
        steps={
            "prepare": Prepare(),
            "mail_account": CreateAccount("mail", records),
            "directory_account": CreateAccount("directory", records),
            "order_equipment": OrderEquipment(records),
            "equipment_delivered": WebhookStep(payload_schema=Delivery, into="delivery"),
            "first_day": FirstDay(),
            "check_list": BaseHumanStep(
                title="First day of {name}",
                description="Hand over the badge and the {equipment} ({delivery.serial_number}); hold the safety briefing.",
                form_schema=CheckList,
                candidate_groups=("hr",),
                into="check_list",
                join="all",
            ),
            "welcome": Welcome(archive),
        },
        edges=[
            ("prepare", "mail_account"),
            ("prepare", "directory_account"),
            ("prepare", "order_equipment"),
            ("prepare", "first_day"),
            ("order_equipment", "equipment_delivered"),
            ("mail_account", "check_list"),
            ("directory_account", "check_list"),
            ("equipment_delivered", "check_list"),
            ("first_day", "check_list"),
            ("check_list", "welcome"),
        ],
        initial_step="prepare",
        input_schema=NewEmployee,
    )
