"""The tour itself: one expense approval from its filing to its receipt, with everything that may go wrong on the way."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any, Final

import httpx

from workflows_reference.accounts.people import DEMO_PASSWORD
from workflows_reference.tour.visitor import API, Narrator, Visitor

__all__ = ["take_tour"]

_WORKFLOW: Final = "expense_approval"
_EXECUTIONS: Final = {
    "submit": 3,
    "check_policy": 3,
    "check_budget": 3,
    "check_duplicate": 3,
    "assess": 3,
    "revise": 2,
    "manager_approval": 2,
    "finance_approval": 2,
    "pay": 1,
    "write_receipt": 1,
}
"""How often each step has run at the end: three rounds, of which the checks stopped the first and finance the second."""

_DECISIONS: Final = [
    ("revise", "alice"),
    ("manager_approval", "bob"),
    ("finance_approval", "carol"),
    ("revise", "alice"),
    ("manager_approval", "bob"),
    ("finance_approval", "carol"),
]


async def take_tour(client: httpx.AsyncClient, narrator: Narrator) -> None:
    """Drive the demo.

    Args:
        client: Talks to the server; its ``base_url`` is the demo's.
        narrator: Prints and compares.

    Raises:
        TourFailedError: Something differs from what it should be.
        httpx.HTTPError: The server cannot be reached.
    """
    await _Tour(client, narrator).take()


class _Tour:
    """The steps, in their order; each leaves to the next what it found."""

    def __init__(self, client: httpx.AsyncClient, narrator: Narrator) -> None:
        self.narrator = narrator
        self.nobody = Visitor(client, narrator)
        self.alice, self.bob, self.carol, self.zoe = (
            Visitor(client, narrator, name) for name in ("alice", "bob", "carol", "zoe")
        )
        # Each tour is another expense, or the check for duplicates would find the one before.
        self.tag = secrets.token_hex(4)
        self.request: dict[str, Any] = {
            "purpose": f"Laptop for the train ({self.tag})",
            "category": "travel",
            "amount": 2400,
        }
        self.instance_id = ""
        self.last_task: dict[str, Any] = {}

    async def take(self) -> None:
        await self.arrive()
        await self.log_in()
        await self.look_at_definition()
        await self.file_badly()
        await self.file()
        await self.revise_after_checks()
        await self.be_refused()
        await self.go_through_approvals()
        await self.see_the_end()
        await self.see_the_history()
        await self.file_again()

    async def arrive(self) -> None:
        self.narrator.step("The server answers, and shows nothing to strangers")
        health = await self.nobody.get("/health")
        self.narrator.check("it is", "workflows-demo", health["application"])
        refused = await self.nobody.get(f"{API}/instances", expect=401)
        self.narrator.check("the problem is", "urn:workflows:problem:not-authenticated", refused["type"])

    async def log_in(self) -> None:
        self.narrator.step("Alice, Bob, Carol and Zoe log in; a wrong password does not help")
        await self.nobody.post("/login", {"username": "alice", "password": "wrong"}, expect=401)
        for visitor in (self.alice, self.bob, self.carol, self.zoe):
            await visitor.log_in(DEMO_PASSWORD)
        me = await self.alice.get("/me")
        self.narrator.check("Alice is", "alice", me["id"])

    async def look_at_definition(self) -> None:
        self.narrator.step("Alice looks at the workflow")
        definition = await self.alice.get(f"{API}/definitions/{_WORKFLOW}")
        self.narrator.check("it begins with", "submit", definition["initial_step"])
        self.narrator.check("it has the steps", {*_EXECUTIONS, "reject"}, set(definition["steps"]))
        drawing = await self.alice.get(f"{API}/definitions/{_WORKFLOW}/graph")
        self.narrator.holds("it can be drawn", drawing, because="manager_approval" in drawing["graph"])

    async def file_badly(self) -> None:
        self.narrator.step("A request that makes no sense is refused with the place of every error")
        wrong = {**self.request, "amount": -5, "category": "bribe"}
        refused = await self.alice.start(_WORKFLOW, wrong, expect=422)
        places = {problem["pointer"] for problem in refused["errors"]}
        self.narrator.check("wrong are", {"/amount", "/category"}, places)

    async def file(self) -> None:
        self.narrator.step("Alice files 2400.00 as travel; doing it twice with one key starts one instance")
        key = f"tour-{self.tag}"
        started = await self.alice.start(_WORKFLOW, self.request, key=key)
        self.instance_id = started["id"]
        again = await self.alice.start(_WORKFLOW, self.request, key=key, expect=200)
        self.narrator.check("the same instance", self.instance_id, again["id"])
        await self.alice.start(_WORKFLOW, {**self.request, "amount": 1}, key=key, expect=409)

    async def revise_after_checks(self) -> None:
        self.narrator.step("The checks find it too much for travel; Alice gets it back and files it as equipment")
        task = await self.alice.task(self.instance_id, "revise")
        found = await self.alice.instance(self.instance_id)
        self.narrator.check("the finding", ["travel is limited to 2000.00"], found["context_data"]["findings"])
        self.request |= {"category": "equipment", "amount": 1800}
        await self.alice.complete(task, self.request)

    async def be_refused(self) -> None:
        self.narrator.step("Now it is Bob's; nobody else may decide, and another company sees nothing")
        task = await self.bob.task(self.instance_id, "manager_approval")
        self.narrator.check("assigned to", "bob", task["assignee_id"])
        await self.alice.complete(task, {"decision": "approve"}, expect=403)
        refused = await self.bob.complete(task, {"decision": "perhaps"}, expect=422)
        self.narrator.check("wrong is", ["/decision"], [problem["pointer"] for problem in refused["errors"]])
        await self.zoe.get(f"{API}/instances/{self.instance_id}", expect=404)
        await self.zoe.complete(task, {"decision": "approve"}, expect=404)

    async def go_through_approvals(self) -> None:
        self.narrator.step("Bob approves; above 1000.00 finance decides too, and Carol wants the invoice's number")
        task = await self.bob.task(self.instance_id, "manager_approval")
        await self.bob.complete(task, {"decision": "approve"})
        task = await self.carol.task(self.instance_id, "finance_approval")
        await self.carol.complete(task, {"decision": "revise", "note": "Which invoice?"}, comment="Number is missing.")

        self.narrator.step("Alice adds it, the checks run again, Bob and Carol approve")
        task = await self.alice.task(self.instance_id, "revise")
        self.narrator.holds("Alice is told why", task, because="Which invoice?" in (task["description"] or ""))
        self.request["purpose"] = f"Laptop for the train, invoice 4711 ({self.tag})"
        await self.alice.complete(task, self.request)
        task = await self.bob.task(self.instance_id, "manager_approval")
        await self.bob.complete(task, {"decision": "approve"})
        self.last_task = await self.carol.task(self.instance_id, "finance_approval")
        await self.carol.complete(self.last_task, {"decision": "approve"}, comment="Thank you.")

    async def see_the_end(self) -> None:
        self.narrator.step("It is paid, once, and there is a receipt; a second click changes nothing")
        ended = await self.alice.outcome(self.instance_id, "completed", "failed")
        self.narrator.check("it ended as", "completed", ended["status"])
        self.narrator.check("the outcome is", "paid", ended["context_data"]["outcome"])
        refused = await self.carol.complete(self.last_task, {"decision": "reject"}, expect=409)
        self.narrator.check("the problem is", "urn:workflows:problem:task-already-completed", refused["type"])
        payments = await self.carol.get("/demo/payments", instance_id=self.instance_id)
        self.narrator.check("paid", [("alice", "1800.00")], [(paid["payee"], paid["amount"]) for paid in payments])
        receipt = await self.alice.get(f"/demo/files/{self.instance_id}/receipt.txt")
        self.narrator.holds("the receipt says so", receipt, because="1800.00 EUR" in receipt and self.tag in receipt)

    async def see_the_history(self) -> None:
        self.narrator.step("Every execution and every decision is on record")
        history = await self.alice.get(f"{API}/instances/{self.instance_id}/history")
        ran = Counter(execution["step_name"] for execution in history["items"])
        self.narrator.check("executions", _EXECUTIONS, dict(ran))
        statuses = {execution["status"] for execution in history["items"]}
        self.narrator.check("all of them", {"succeeded"}, statuses)
        people = [
            (execution["step_name"], execution["completed_by"])
            for execution in history["items"]
            if execution["completed_by"]
        ]
        self.narrator.check("decided", _DECISIONS, people)
        events = await self.alice.get(f"{API}/instances/{self.instance_id}/events", limit="500")
        kinds = [event["type"] for event in events["items"]]
        self.narrator.check("first and last event", ("workflow_started", "workflow_completed"), (kinds[0], kinds[-1]))
        comments = [
            event["data"]["comment"]
            for event in events["items"]
            if event["type"] == "human_task_completed" and event["data"].get("comment")
        ]
        self.narrator.check("comments", ["Number is missing.", "Thank you."], comments)
        drawing = await self.alice.get(f"{API}/instances/{self.instance_id}/graph")
        self.narrator.holds("it can be drawn as it ran", drawing, because="write_receipt" in drawing["graph"])

    async def file_again(self) -> None:
        self.narrator.step("Filing the same again is found out; Alice cancels it")
        started = await self.alice.start(_WORKFLOW, self.request)
        task = await self.alice.task(started["id"], "revise")
        found = await self.alice.instance(started["id"])
        finding = ["the same amount was paid for the same purpose before"]
        self.narrator.check("the finding", finding, found["context_data"]["findings"])
        await self.alice.post(f"{API}/instances/{started['id']}/cancel", {"reason": "Filed twice."}, expect=200)
        ended = await self.alice.outcome(started["id"], "canceled")
        self.narrator.check("nothing is left to do", [], ended["active_steps"])
        await self.alice.complete(task, self.request, expect=409)
