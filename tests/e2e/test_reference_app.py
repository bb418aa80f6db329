"""The reference application, served by its real command in a process of its own."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import sqlite3
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

API = "/workflows/api"


def test_the_tour_finds_everything_as_it_should_be_and_so_it_does_after_a_restart(
    database_environment: dict[str, str], demo_process: Callable[..., Any], run_demo: Callable[..., Any]
) -> None:
    server = demo_process(database_environment)
    for starts in (1, 2):
        server.start()
        tour = run_demo("tour", "--url", server.url)
        assert tour.returncode == 0, tour.stdout + tour.stderr
        assert len(re.findall(r"^ ?\d+\. ", tour.stdout, re.MULTILINE)) == 12, "each step is printed"
        assert re.search(r"All \d\d checks passed", tour.stdout)
        with server.client("admin") as admin:
            found = admin.get("/workflows/admin/stats").json()["instances"]
        # Four instances are there from the first start on, once; each tour completes one and cancels one.
        assert found == {**found, "waiting": 4, "completed": starts, "canceled": starts, "failed": 0}
        server.stop()
    assert "Traceback" not in server.log


def test_the_tour_starts_a_private_server_on_the_database_of_the_environment(
    database_environment: dict[str, str], run_demo: Callable[..., Any], tmp_path: Path
) -> None:
    tour = run_demo("tour", **database_environment)
    assert tour.returncode == 0, tour.stdout + tour.stderr
    assert ("postgresql+asyncpg://" in tour.stdout) == bool(database_environment)
    assert list(tmp_path.iterdir()) == [], "it leaves no files behind"


def test_the_tour_fails_where_an_answer_differs(run_demo: Callable[..., Any]) -> None:
    with HTTPServer(("127.0.0.1", 0), _AlwaysFine) as impostor:
        Thread(target=impostor.serve_forever, daemon=True).start()
        tour = run_demo("tour", "--url", f"http://127.0.0.1:{impostor.server_port}")
        impostor.shutdown()
    assert tour.returncode == 1
    assert "it is: expected 'workflows-demo', found 'something else'" in tour.stderr
    assert "Traceback" not in tour.stderr


def test_the_tour_says_where_nobody_answers(run_demo: Callable[..., Any], unused_port: int) -> None:
    tour = run_demo("tour", "--url", f"http://127.0.0.1:{unused_port}")
    assert tour.returncode == 1
    assert f"nothing answers at http://127.0.0.1:{unused_port}" in tour.stderr
    assert "Traceback" not in tour.stderr


def test_reviewers_work_in_parallel_and_the_majority_decides(
    database_environment: dict[str, str], demo_process: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    server = demo_process(database_environment).start()
    with server.client("alice") as alice, server.client("dan") as dan, server.client("erin") as erin:
        document = {"title": "Holidays", "text": "First draft.", "reviewers": ["dan", "erin"]}
        instance = start(alice, "document_review", document)

        def review(*, approve: tuple[bool, bool]) -> None:
            for reviewer, approved in zip((dan, erin), approve, strict=True):
                task = eventually("a review", lambda reviewer=reviewer: task_of(reviewer, instance))
                complete(reviewer, task, {"approved": approved, "remarks": "" if approved else "Too short."})

        review(approve=(True, False))
        task = eventually("the revision", lambda: task_of(alice, instance))
        assert task["step_name"] == "revise", "a tie is no majority"
        assert "erin: Too short." in task["description"]
        complete(alice, task, {"text": "Second draft, which is longer."})
        review(approve=(True, True))
        end = eventually("the end", lambda: finished(alice, instance))
        text = alice.get(f"/demo/files/{instance}/document.md").text
    assert end["status"] == "completed"
    assert "Second draft" in text
    assert [step["step_name"] for step in end["step_history"]].count("review") == 4


def test_an_onboarding_waits_for_the_supplier_the_first_day_and_a_person(
    database_environment: dict[str, str], demo_process: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    server = demo_process(database_environment).start()
    with server.client("hana") as hana, server.client() as supplier:
        employee = {"name": "Ivo Iversen", "login": "ivo", "equipment": "desktop"}
        instance = start(hana, "employee_onboarding", employee)
        orders = eventually("the order", lambda: hana.get("/demo/deliveries", params={"instance_id": instance}).json())
        address = orders[0]["callback_url"]
        assert address.startswith(f"{server.url}{API}/webhooks/")
        assert supplier.post(address, json={"wrong": 1}).status_code == 422
        assert supplier.post(address, json={"serial_number": "D-4711"}).status_code == 204
        assert supplier.post(address, json={"serial_number": "D-4711"}).status_code == 409, "an address is used once"
        task = eventually("the check-list", lambda: task_of(hana, instance))
        assert "D-4711" in task["description"]
        complete(hana, task, {"badge_handed_over": True, "safety_briefing_held": True})
        end = eventually("the end", lambda: finished(hana, instance))
        accounts = hana.get("/demo/accounts", params={"instance_id": instance}).json()
    assert end["status"] == "completed"
    assert sorted(account["system"] for account in accounts) == ["directory", "mail"]


def test_a_worker_beside_a_server_without_one_does_the_work(
    database_environment: dict[str, str], demo_process: Callable[..., Any], run_demo: Callable[..., Any]
) -> None:
    server = demo_process({**database_environment, "WORKFLOWS_WORKER": "0"}).start()
    assert "no steps run in this process" in server.log
    worker = demo_process(
        {**database_environment, "WORKFLOWS_DATA_DIR": str(server.data_dir), "WORKFLOWS_POLL_SECONDS": "0.1"}, "worker"
    ).start()
    tour = run_demo("tour", "--url", server.url)
    assert tour.returncode == 0, tour.stdout + tour.stderr
    assert worker.stop() == 0, "a worker that is told to stop ends in good order"
    assert "has stopped" in worker.log


def test_pages_need_nothing_from_elsewhere(demo_process: Callable[..., Any]) -> None:
    server = demo_process().start()
    with server.client() as visitor:
        for path in ("/", "/schema"):
            page = visitor.get(path)
            assert page.status_code == 200
            assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page.text), f"{path} loads from elsewhere"
        assert "/workflows/api/instances" in visitor.get("/schema").text
        assert visitor.get("/schema/openapi.json").json()["info"]["title"] == "workflows demo"


def test_an_unreachable_database_is_said_in_one_line_and_leaves_nothing(
    run_demo: Callable[..., Any], unused_port: int, tmp_path: Path
) -> None:
    url = f"postgresql://nobody:secret@127.0.0.1:{unused_port}/nowhere"
    data_dir = tmp_path / "data"
    ended = run_demo("--port", "0", WORKFLOWS_DATABASE_URL=url, WORKFLOWS_DATA_DIR=str(data_dir))
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert f"cannot use the database postgresql+asyncpg://nobody:***@127.0.0.1:{unused_port}/nowhere" in ended.stderr
    assert "WORKFLOWS_DATABASE_URL" in ended.stderr
    assert "secret" not in ended.stderr
    assert not data_dir.exists()


def test_a_file_that_is_no_database_is_left_alone(run_demo: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear reader, this is not a database, and it is longer than the head of one would be. " * 20)
    before = file.read_bytes()
    ended = run_demo("--port", "0", WORKFLOWS_DATABASE_URL=f"sqlite:///{file}")
    assert ended.returncode == 1
    assert "file is not a database" in ended.stderr
    assert file.read_bytes() == before


def test_a_taken_port_is_said_before_anything_is_made(run_demo: Callable[..., Any], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = run_demo("--port", str(port), WORKFLOWS_DATA_DIR=str(data_dir))
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert not data_dir.exists()


def test_a_setting_that_cannot_be_used_is_named(run_demo: Callable[..., Any]) -> None:
    ended = run_demo("--port", "0", WORKFLOWS_EXECUTOR="carrier-pigeon")
    assert ended.returncode == 1
    assert (
        "WORKFLOWS_EXECUTOR is 'carrier-pigeon', but must be one of: local, postgres, saq, celery, arq" in ended.stderr
    )


def test_the_server_ends_on_sigint_and_sigterm_and_gives_its_work_back(demo_process: Callable[..., Any]) -> None:
    server = demo_process()
    for how, code in ((signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)):
        server.start()
        assert server.stop(how) == code
        with contextlib.closing(sqlite3.connect(server.data_dir / "demo.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            leases = database.execute("SELECT count(*) FROM workflow_work_items WHERE worker IS NOT NULL").fetchone()
        assert leases == (0,)
    assert "Traceback" not in server.log


class _AlwaysFine(BaseHTTPRequestHandler):
    """Answers every request with 200, and says that it is something else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"application": "something else"}')

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def start(client: Any, workflow: str, data: dict[str, Any]) -> str:
    answer = client.post(f"{API}/instances", json={"workflow_name": workflow, "initial_data": data})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def task_of(client: Any, instance: str) -> dict[str, Any] | None:
    parameters = {"instance_id": instance, "mine": "true"}
    items = client.get(f"{API}/tasks", params=parameters).json()["items"]
    return items[0] if items else None


def complete(client: Any, task: dict[str, Any], form: dict[str, Any]) -> None:
    answer = client.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": form})
    assert answer.status_code == 200, answer.text


def finished(client: Any, instance: str) -> dict[str, Any] | None:
    found: dict[str, Any] = client.get(f"{API}/instances/{instance}").json()
    assert found["status"] != "failed", found
    return found if found["status"] == "completed" else None
