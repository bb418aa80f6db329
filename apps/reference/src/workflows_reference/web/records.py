"""Routes that show what the workflows did."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from dishka.integrations.litestar import FromDishka, inject
from litestar import Controller, MediaType, Request, Response, get
from litestar.exceptions import NotFoundException

from workflows_reference.accounts.people import User
from workflows_reference.accounts.sessions import require_user
from workflows_reference.archive import Archive
from workflows_reference.records import Records
from workflows_reference.tables import accounts, deliveries, payments

__all__ = ["RecordController"]


class PaymentDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that an expense approval made."""

    instance_id: UUID
    payee: str
    amount: str
    purpose: str
    created_at: datetime


class AccountDTO(msgspec.Struct, frozen=True, kw_only=True):
    """An account that an onboarding created."""

    instance_id: UUID
    system: str
    login: str
    created_at: datetime


class DeliveryDTO(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an onboarding ordered; the supplier reports the delivery to ``callback_url``."""

    instance_id: UUID
    item: str
    recipient: str
    callback_url: str
    created_at: datetime


class RecordController(Controller):
    """What the steps of the demo's workflows left behind, for the caller's own company."""

    path = "/demo"
    tags = ["Demo"]
    guards = [require_user]

    @get("/payments", summary="List payments")
    @inject
    async def payments(
        self, request: Request[User, Any, Any], records: FromDishka[Records], instance_id: UUID | None = None
    ) -> list[PaymentDTO]:
        """The newest 100 payments."""
        rows = await records.list(payments, tenant=request.user.tenant_id, instance_id=_text(instance_id))
        return [
            PaymentDTO(
                instance_id=UUID(row["instance_id"]),
                payee=row["payee"],
                amount=f"{row['amount_cents'] / 100:.2f}",
                purpose=row["purpose"],
                created_at=row["created_at"],
            )
            for row in rows
        ]

    @get("/accounts", summary="List accounts")
    @inject
    async def accounts(
        self, request: Request[User, Any, Any], records: FromDishka[Records], instance_id: UUID | None = None
    ) -> list[AccountDTO]:
        """The newest 100 accounts."""
        rows = await records.list(accounts, tenant=request.user.tenant_id, instance_id=_text(instance_id))
        return [
            AccountDTO(
                instance_id=UUID(row["instance_id"]),
                system=row["system"],
                login=row["login"],
                created_at=row["created_at"],
            )
            for row in rows
        ]

    @get("/deliveries", summary="List orders")
    @inject
    async def deliveries(
        self, request: Request[User, Any, Any], records: FromDishka[Records], instance_id: UUID | None = None
    ) -> list[DeliveryDTO]:
        """The newest 100 orders."""
        rows = await records.list(deliveries, tenant=request.user.tenant_id, instance_id=_text(instance_id))
        return [
            DeliveryDTO(
                instance_id=UUID(row["instance_id"]),
                item=row["item"],
                recipient=row["recipient"],
                callback_url=row["callback_url"],
                created_at=row["created_at"],
            )
            for row in rows
        ]

    @get("/files/{instance_id:uuid}/{name:str}", media_type=MediaType.TEXT, summary="Read a file that a workflow wrote")
    @inject
    async def file(
        self, request: Request[User, Any, Any], instance_id: UUID, name: str, archive: FromDishka[Archive]
    ) -> Response[str]:
        """A receipt or a published document; its path stands in the data of the instance."""
        text = await archive.read(request.user.tenant_id, instance_id, name)
        if text is None:
            raise NotFoundException(detail=f"Instance {instance_id} has no file {name!r}.")
        return Response(text, media_type="text/plain; charset=utf-8")


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
