"""Step types by name."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from workflows_core.authoring.catalogue import CatalogueError, StepCatalogue
from workflows_core.authoring.code import is_coroutine_function
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.groups import StepGroup
from workflows_core.authoring.human import BaseHumanStep
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.domain.graph import MachineNode


class Mail(msgspec.Struct):
    template: str
    copies: int = 1


class SendMail(BaseMachineStep):
    """Sends a mail.

    Or several.
    """

    def __init__(self, config: Mail) -> None:
        super().__init__()
        self.config = config

    async def execute(self, context: WorkflowContext) -> Mail:
        return self.config

    async def can_execute(self, context: WorkflowContext) -> bool:
        return self.config.copies > 0


class Charge:
    """Charges a card."""

    name = "charge"

    def __init__(self, amount: int, currency: str = "EUR", *rest: Any, **more: Any) -> None:
        self.amount, self.currency = amount, currency

    def execute(self, context: WorkflowContext) -> str:
        return f"{self.amount} {self.currency}"


def catalogue_with(name: str, source: Any, **arguments: Any) -> StepCatalogue:
    catalogue = StepCatalogue()
    catalogue.register(name, source, **arguments)
    return catalogue


async def test_a_class_may_take_a_typed_configuration() -> None:
    catalogue = catalogue_with("send_mail", SendMail, config=Mail)
    step = catalogue.create("send_mail", {"template": "welcome"}, queue="mail")
    assert (step.name, step.queue, step.catalogue, step.config) == (
        "send_mail",
        "mail",
        "send_mail",
        {"template": "welcome"},
    )
    assert isinstance(step.step, SendMail)
    definition = WorkflowDefinition("test", steps=[step])
    code = definition.code["send_mail"]
    assert definition.graph.nodes["send_mail"].kind == MachineNode("send_mail", {"template": "welcome"})
    assert code.is_async
    assert code.can_execute is not None
    assert code.on_success is None
    assert code.execute is not None
    assert await code.execute(WorkflowContext.for_testing()) == Mail("welcome")
    assert catalogue.create("send_mail", Mail("bye", 2)).config == {"template": "bye", "copies": 2}


def test_the_parameters_of_a_constructor_are_its_configuration() -> None:
    catalogue = catalogue_with("charge", Charge)
    step = catalogue.create("charge", {"amount": 5}, name="take_money")
    assert step.name == "take_money"
    assert step.execute(WorkflowContext.for_testing()) == "5 EUR"
    schema = catalogue.get("charge").config_schema
    assert schema["required"] == ["amount"]
    assert set(schema["properties"]) == {"amount", "currency"}
    assert schema["additionalProperties"] is False


async def test_functions_take_their_configuration_after_the_context() -> None:
    catalogue = StepCatalogue()

    @catalogue.step("notify")
    async def notify(context: WorkflowContext, channel: str, urgent: bool = False) -> str:
        """Notifies."""
        return f"{context.get('who')} by {channel} {urgent}"

    @catalogue.step("mail", config=Mail, description="By mail.")
    def mail(context: WorkflowContext, settings: Mail) -> str:
        return settings.template

    @catalogue.step("plain")
    def plain(context: WorkflowContext) -> str:
        return "plain"

    context = WorkflowContext.for_testing({"who": "ann"})
    asynchronous = catalogue.create("notify", {"channel": "chat", "urgent": True})
    assert is_coroutine_function(asynchronous.execute)
    assert await asynchronous.execute(context) == "ann by chat True"
    assert catalogue.create("mail", {"template": "t"}).execute(context) == "t"
    assert catalogue.create("plain").execute(context) == "plain"
    assert [(kind.name, kind.description) for kind in catalogue.kinds()] == [
        ("notify", "Notifies."),
        ("mail", "By mail."),
        ("plain", ""),
    ]
    assert "mail" in catalogue
    assert "chat" not in catalogue
    assert await notify(context, "mail") == "ann by mail False"


def test_a_configuration_may_be_described_by_a_schema() -> None:
    schema = {"properties": {"amount": {"type": "integer", "minimum": 1}}, "required": ["amount"]}
    catalogue = catalogue_with("charge", Charge, config=schema)
    assert catalogue.create("charge", {"amount": 5}).execute(WorkflowContext.for_testing()) == "5 EUR"
    with pytest.raises(CatalogueError, match="/amount"):
        catalogue.create("charge", {"amount": 0})


def test_a_dataclass_is_a_configuration_too() -> None:
    @dataclass
    class Settings:
        amount: int

    class Pay(BaseMachineStep):
        def __init__(self, settings: Settings) -> None:
            self.settings = settings

        def execute(self, context: WorkflowContext) -> int:
            return self.settings.amount

    catalogue = catalogue_with("pay", Pay, config=Settings)
    assert catalogue.create("pay", {"amount": 3}).execute(WorkflowContext.for_testing()) == 3


@pytest.mark.parametrize(
    ("config", "message"),
    [({}, "template"), ({"template": 5}, "template"), ({"template": "a", "colour": "red"}, "colour"), ([], "type")],
)
def test_a_configuration_that_does_not_fit_is_refused(config: Any, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        catalogue_with("send_mail", SendMail, config=Mail).create("send_mail", config)


def test_an_unknown_type_is_refused_with_what_is_near() -> None:
    with pytest.raises(CatalogueError, match="did you mean 'charge'"):
        catalogue_with("charge", Charge).create("chrage")


def test_a_name_is_taken_once() -> None:
    catalogue = catalogue_with("charge", Charge)
    with pytest.raises(CatalogueError, match="already registered"):
        catalogue.register("charge", SendMail)


def takes_anything(context: WorkflowContext, thing: object) -> None: ...


def takes_unknown(context: WorkflowContext, thing: Unknown) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def takes_nothing(context: WorkflowContext) -> None: ...


class Group(StepGroup):
    async def execute(self, context: WorkflowContext, engine: Any) -> None: ...


@pytest.mark.parametrize(
    ("source", "config", "message"),
    [
        (BaseHumanStep, None, "no machine steps"),
        (Group, None, "no machine steps"),
        (takes_unknown, None, "cannot be read"),
        (takes_anything, None, "types that JSON has"),
        (takes_nothing, Mail, "takes no parameter"),
        (Charge, int, "Struct"),
        (Charge, 5, "Struct"),
    ],
)
def test_what_cannot_be_a_step_type_is_refused(source: Any, config: Any, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        StepCatalogue().register("it", source, config=config)


def test_the_error_survives_pickling() -> None:
    error = CatalogueError("charge", "is wrong", "mend it")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
