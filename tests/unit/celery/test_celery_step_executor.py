"""What Celery's broker gets to see."""

from __future__ import annotations

from uuid import UUID

from celery import Celery

from workflows_celery import CeleryStepExecutor
from workflows_core.adapters.broker_executor import Hint
from workflows_core.ports.executor import WorkRef


async def test_a_message_names_queue_and_work_and_no_limit_of_the_application_ends_it() -> None:
    app = Celery("test", broker="memory://", set_as_current=False)
    app.conf.update(task_time_limit=1, task_soft_time_limit=1, task_default_queue="here")
    executor = CeleryStepExecutor(app, queues={"mail": "there"})
    work = WorkRef(UUID(int=7), 3)
    await executor.send(Hint("mail", work))
    await executor.send(Hint("video", work))
    with app.connection_for_read() as connection:
        for queue, sent_to in (("mail", "there"), ("video", "here")):
            message = connection.SimpleQueue(sent_to).get(timeout=5)
            assert message.headers["task"] == "workflows.run"
            assert message.headers["timelimit"] == [600, 300]
            assert message.headers["eta"] is None
            assert message.headers["ignore_result"] is True
            assert message.payload[:2] == [[], {"queue": queue, "work": str(work)}]
    await executor.close()
    app.close()
