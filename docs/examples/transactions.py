"""Orders of a shop: the order and its workflow begin together, and each payment is booked exactly once."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workflows_core import WorkflowContext, WorkflowEngine, WorkflowRegistry, step, workflow
from workflows_sqlalchemy import PersistentExecutionEngine, session_of, upgrade


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    number: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]


class Booking(Base):
    __tablename__ = "bookings"

    order: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]


@workflow(name="order")
class OrderWorkflow:
    @step(initial=True, transactional=True, next="thank")
    async def book(self, context: WorkflowContext) -> int:
        session = session_of(context)
        order = await session.get_one(Order, context.get("number"))
        session.add(Booking(order=order.number, amount=order.amount))
        if order.amount > 100:
            raise ValueError(f"{order.amount} is too much")
        return order.amount

    @step
    async def thank(self, context: WorkflowContext) -> None:
        print("thank you for order", context.get("number"))


async def place_order(engine: WorkflowEngine, database: AsyncEngine, number: int, amount: int) -> Any:
    async with AsyncSession(database) as session, session.begin():
        session.add(Order(number=number, amount=amount))
        started = await engine.start_workflow("order", {"number": number}, idempotency_key=str(number), session=session)
        if amount <= 0:
            raise ValueError("nothing to pay")  # neither the order nor its workflow was ever there
    return started.id


async def main() -> None:
    await upgrade("sqlite:///shop.db")
    database = create_async_engine("sqlite+aiosqlite:///shop.db")
    async with database.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    registry = WorkflowRegistry()
    registry.register(OrderWorkflow)
    async with PersistentExecutionEngine(registry, database) as engine:
        for number, amount in ((1, 42), (2, 0), (3, 500)):
            try:
                placed = await place_order(engine, database, number, amount)
            except ValueError as error:
                print("order", number, "was not placed:", error)
                continue
            finished = await engine.wait(placed, timeout=5)
            async with AsyncSession(database) as session:
                booking = await session.get(Booking, number)
            print("order", number, finished.status, "booked:", booking.amount if booking else None)
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(main())
