"""``kill -9`` of the serving process: every instance goes on, and nothing that was recorded runs again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

API = "/workflows/api"
HERE = Path(__file__).parent
LEASE_S = "1"
_KILLS = 3


@pytest.fixture
def environment(database_environment: dict[str, str]) -> dict[str, str]:
    """A server that knows the workflows of these tests, and takes over the work of the dead soon."""
    return {
        **database_environment,
        "PYTHONPATH": str(HERE),
        "WORKFLOWS_MODULES": "kill_workflows",
        "WORKFLOWS_LEASE_SECONDS": LEASE_S,
        "WORKFLOWS_POLL_SECONDS": "0.2",
    }


def test_instances_survive_a_kill_in_a_machine_step_in_a_timer_and_in_a_human_wait(
    environment: dict[str, str],
    demo_process: Callable[..., Any],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    log, gate = tmp_path / "steps.log", tmp_path / "gate"
    server = demo_process(environment).start()
    with server.client("alice") as alice:
        in_step = start(alice, "kill_drill", {"log": str(log), "gate": str(gate)})
        in_timer = start(alice, "kill_drill", {"log": str(log), "nap_s": 3})
        in_wait = start(alice, "kill_drill", {"log": str(log)})
        eventually("the slow step", lambda: f"slow {in_step}" in text_of(log))
        eventually("the timer", lambda: active(alice, in_timer) == {"nap"})
        eventually("the task", lambda: active(alice, in_wait) == {"decide"})

    server.kill()
    # Without a worker the server shows what had been recorded when it was killed.
    server.start(WORKFLOWS_WORKER="0")
    with server.client("alice") as alice:
        recorded = {instance: executions(alice, instance) for instance in (in_step, in_timer, in_wait)}
        assert active(alice, in_step) == {"slow"}
        assert active(alice, in_timer) == {"nap"}
        assert active(alice, in_wait) == {"decide"}
    assert list(recorded[in_step]) == ["before"]
    assert server.stop() is not None

    gate.touch()
    server.start()
    with server.client("alice") as alice:
        for instance in (in_step, in_timer, in_wait):
            complete(alice, eventually("a task", lambda instance=instance: task_of(alice, instance)))
        ends = {instance: finished(alice, instance, eventually) for instance in recorded}
    for instance, end in ends.items():
        history = end["step_history"]
        assert [step["step_name"] for step in history] == ["before", "slow", "nap", "decide", "finish"]
        assert {step["status"] for step in history} == {"succeeded"}
        for step in history[: len(recorded[instance])]:
            assert step == recorded[instance][step["step_name"]], "what was recorded does not change"
    runs = runs_in(log)
    killed = next(step for step in ends[in_step]["step_history"] if step["step_name"] == "slow")
    assert killed["attempts"] == 2
    assert runs.pop(("slow", f"{in_step}/{killed['number']}")) == 2, "the killed step ran again, under the same key"
    assert set(runs.values()) == {1}, "and nothing else did"
    assert nap_of(ends[in_timer]) >= 3, "the timer did not fire early"


def test_a_step_that_was_recorded_never_runs_again_whenever_the_process_is_killed(
    environment: dict[str, str],
    demo_process: Callable[..., Any],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    log = tmp_path / "steps.log"
    server = demo_process({**environment, "WORKFLOWS_WORKER": "0"}).start()
    worker = demo_process(environment, "worker", directory=server.directory)
    worker.log_path = tmp_path / "worker.log"
    with server.client("alice") as alice:
        instances = [start(alice, "kill_laps", {"log": str(log), "pause_s": 0.02}) for _ in range(4)]
        recorded: set[str] = set()
        length = 0
        for kill in range(_KILLS):
            worker.log_path.unlink(missing_ok=True)
            worker.start()
            eventually(f"progress before kill {kill}", lambda length=length: len(runs_list(log)) > length + 15)
            worker.kill()
            again = recorded & {key for _, key in runs_list(log)[length:]}
            assert not again, "these had been recorded, and ran again"
            recorded = {key for instance in instances for key in recorded_keys(alice, instance)}
            length = len(runs_list(log))
        worker.log_path.unlink(missing_ok=True)
        worker.start()
        for instance in instances:
            end = finished(alice, instance, eventually)
            assert end["context_data"]["counted"] == 30
            assert [step["step_name"] for step in end["step_history"]] == [f"lap_{number}" for number in range(30)]
    runs = runs_in(log)
    assert len(runs) == 30 * len(instances), "a step has one key, however often it runs"
    assert not recorded & {key for _, key in runs_list(log)[length:]}
    # Each kill met at most one step of each instance.
    assert sum(runs.values()) - len(runs) <= _KILLS * len(instances)


def test_a_decision_that_was_answered_survives_a_kill_at_once(
    environment: dict[str, str],
    demo_process: Callable[..., Any],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    log = tmp_path / "steps.log"
    server = demo_process(environment).start()
    with server.client("alice") as alice:
        instance = start(alice, "kill_drill", {"log": str(log)})
        task = eventually("the task", lambda: task_of(alice, instance))
        complete(alice, task)
    server.kill()

    server.start()
    with server.client("alice") as alice:
        end = finished(alice, instance, eventually)
        again = alice.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": {}})
    decided = [step["completed_by"] for step in end["step_history"] if step["step_name"] == "decide"]
    assert decided == ["alice"]
    assert again.status_code == 409


def start(client: Any, workflow: str, data: dict[str, Any]) -> str:
    answer = client.post(f"{API}/instances", json={"workflow_name": workflow, "initial_data": data})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def instance_of(client: Any, instance: str) -> dict[str, Any]:
    answer = client.get(f"{API}/instances/{instance}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def active(client: Any, instance: str) -> set[str]:
    return {step["step_name"] for step in instance_of(client, instance)["active_steps"]}


def executions(client: Any, instance: str) -> dict[str, Any]:
    return {step["step_name"]: step for step in instance_of(client, instance)["step_history"]}


def recorded_keys(client: Any, instance: str) -> set[str]:
    return {f"{instance}/{step['number']}" for step in instance_of(client, instance)["step_history"]}


def task_of(client: Any, instance: str) -> dict[str, Any] | None:
    items = client.get(f"{API}/tasks", params={"instance_id": instance}).json()["items"]
    return items[0] if items else None


def complete(client: Any, task: dict[str, Any]) -> None:
    answer = client.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": {}})
    assert answer.status_code == 200, answer.text


def finished(client: Any, instance: str, eventually: Callable[..., Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = instance_of(client, instance)
        assert found["status"] not in {"failed", "canceled"}, found
        return found if found["status"] == "completed" else None

    found: dict[str, Any] = eventually(f"the end of {instance}", look)
    return found


def nap_of(end: dict[str, Any]) -> float:
    by_name = {step["step_name"]: step for step in end["step_history"]}
    begun = datetime.fromisoformat(by_name["slow"]["completed_at"])
    return (datetime.fromisoformat(by_name["nap"]["completed_at"]) - begun).total_seconds()


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def runs_list(log: Path) -> list[tuple[str, str]]:
    return [(step, key) for step, key in (line.split() for line in text_of(log).splitlines())]


def runs_in(log: Path) -> Counter[tuple[str, str]]:
    return Counter(runs_list(log))
