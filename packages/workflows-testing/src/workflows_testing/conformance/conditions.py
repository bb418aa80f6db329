"""Rules for every `ConditionEvaluator`, whatever its language: they use only what all languages share."""

from __future__ import annotations

import pytest

from workflows_core.errors import ExpressionError
from workflows_core.ports.conditions import ConditionEvaluator

__all__ = ["ConditionEvaluatorConformance"]


class ConditionEvaluatorConformance:
    """The suite; override the fixture ``evaluator``.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def evaluator(self) -> ConditionEvaluator:
        """The evaluator under test."""
        msg = f"{type(self).__name__} must override the fixture `evaluator`"
        raise TypeError(msg)

    def test_a_comparison_is_evaluated_on_the_data(self, evaluator: ConditionEvaluator) -> None:
        condition = evaluator.compile("amount > 1000")
        assert [condition.evaluate({"amount": amount}) for amount in (999, 1000, 1001)] == [False, False, True]

    def test_a_condition_knows_its_source(self, evaluator: ConditionEvaluator) -> None:
        assert evaluator.compile("amount > 1000").source == "amount > 1000"

    def test_a_condition_knows_the_names_that_it_reads(self, evaluator: ConditionEvaluator) -> None:
        assert evaluator.compile("amount > limit").names == {"amount", "limit"}

    def test_an_absent_name_is_none(self, evaluator: ConditionEvaluator) -> None:
        assert evaluator.compile("amount").evaluate({}) is None

    def test_a_condition_can_be_evaluated_again_and_again(self, evaluator: ConditionEvaluator) -> None:
        condition = evaluator.compile("amount + 1")
        assert [condition.evaluate({"amount": 1}) for _ in range(3)] == [2, 2, 2]

    def test_evaluation_leaves_the_data_as_they_are(self, evaluator: ConditionEvaluator) -> None:
        values = {"items": [3, 1, 2], "amount": 1}
        evaluator.compile("items").evaluate(values)
        assert values == {"items": [3, 1, 2], "amount": 1}

    def test_what_does_not_parse_is_refused(self, evaluator: ConditionEvaluator) -> None:
        for source in ("", "amount >", ")", "amount 1000"):
            with pytest.raises(ExpressionError):
                evaluator.compile(source)

    def test_a_name_that_cannot_exist_is_refused(self, evaluator: ConditionEvaluator) -> None:
        with pytest.raises(ExpressionError):
            evaluator.compile("amuont > 1000", frozenset({"amount"}))

    def test_names_that_exist_are_accepted(self, evaluator: ConditionEvaluator) -> None:
        assert evaluator.compile("amount > 1000", frozenset({"amount", "limit"})).evaluate({"amount": 2000}) is True
