"""The engine: one object that an application talks to. Each method is a use case; the work is done in the modules beside this."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self
from uuid import UUID

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.domain.actor import SYSTEM, Actor
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.transition import WorkItem
from workflows_core.domain.types import TaskStatus
from workflows_core.engine.attempts import Attempts
from workflows_core.engine.commits import Commits
from workflows_core.engine.contexts import Contexts
from workflows_core.engine.control import InstanceControl
from workflows_core.engine.desk import Desk
from workflows_core.engine.holding import Holding
from workflows_core.engine.instances import WorkflowInstance, read_instance
from workflows_core.engine.joining import JoinedCommits, transactions_of
from workflows_core.engine.programs import Programs
from workflows_core.engine.protocol import ExecutionEngine
from workflows_core.engine.runner import StepRunner
from workflows_core.engine.seats import Seats
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.sharing import SharedTransactions
from workflows_core.engine.signatures import WebhookAddress, sign_webhook
from workflows_core.engine.standalone import run_step
from workflows_core.engine.waiting import is_at_rest, wait_until
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.conditions import ConditionEvaluator
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.injection import StepInjector
from workflows_core.ports.queries import PageRequest, TaskFilter, TaskRecord, WorkflowQueries
from workflows_core.ports.store import Claim, WorkflowStore

__all__ = ["WorkflowEngine"]


class WorkflowEngine(InstanceControl, ExecutionEngine):
    """Starts instances, runs their steps, and takes what people and programs have to say to them.

    It holds no state of instances itself: any number of engines, in any number of processes, may share one store.

    Attributes:
        registry: Definitions whose code this process has.
        store: Where instances live.
        queries: Lists and look-ups.
        settings: Limits, times and secrets.
    """

    def __init__(
        self,
        registry: WorkflowRegistry,
        *,
        store: WorkflowStore,
        queries: WorkflowQueries,
        executor: StepExecutor,
        events: EventPublisher,
        clock: Clock,
        ids: IdGenerator,
        codec: PayloadCodec,
        conditions: ConditionEvaluator,
        settings: EngineSettings | None = None,
        injector: StepInjector | None = None,
    ) -> None:
        """Wire an engine over its ports; `LocalExecutionEngine` and its siblings do this for you.

        Without an ``injector``, workflows whose code wants dependencies are refused.
        """
        self.registry = registry
        self.store = store
        self.queries = queries
        self.executor = executor
        self.settings = settings if settings is not None else EngineSettings()
        self._codec = codec
        self._injector = injector
        self._commits = Commits(store, ids, executor, events, soon_s=self.settings.poll_s)
        self._programs = Programs(registry, store, queries, codec, conditions, injector)
        self._contexts = Contexts(codec, queries, self.settings)
        self._ids = ids
        self._make_desk = partial(Desk, codec=codec, ids=ids, clock=clock, settings=self.settings)
        self.seats = Seats()
        self._desk = self._make_desk(store, queries, self._commits, self._programs, seats=self.seats)
        self._attempts = Attempts(
            store=store, contexts=self._contexts, codec=codec, settings=self.settings, engine=self
        )
        self._runner = StepRunner(
            store=store,
            commits=self._commits,
            programs=self._programs,
            attempts=self._attempts,
            shared=SharedTransactions(store, self._commits, ids),
            settings=self.settings,
        )

    async def open(self) -> None:
        """Check that the store can be used and keep the registered definitions in it.

        Raises:
            StoreUnavailableError: The store cannot be used; says why and how to mend it. Nothing was written.
            InvalidDefinitionError: The code of a registered workflow wants what nothing provides; lists all of that.
        """
        await self.store.check()
        await self.publish_definitions()

    async def aclose(self) -> None:
        """Give back what the executor and the store hold; the engine is not used afterwards."""
        await self.executor.close()
        self._attempts.close()
        await self._commits.finish()
        await self.store.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def publish_definitions(self) -> None:
        """Keep all registered definitions in the store, so that processes without the code can show and start them."""
        for definition in self.registry.list_definitions(active_only=False):
            await self._programs.publish(definition.graph)

    async def start_workflow(
        self,
        workflow: type[Any] | str | WorkflowDefinition,
        initial_data: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        idempotency_key: str | None = None,
        actor: Actor | None = None,
        metadata: Mapping[str, Any] | None = None,
        deadline: timedelta | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        start_at: datetime | None = None,
        session: Any = None,
    ) -> WorkflowInstance:
        """Start an instance. When this returns, the instance is durable; its steps run in workers.

        Args:
            workflow: The workflow's class, definition or name. A class or definition is registered if it is not yet.
            initial_data: Data of the instance; must satisfy the workflow's input schema if it has one.
            version: Version to start; None takes the newest that is registered.
            idempotency_key: A second start of the same workflow and tenant with this key returns the first instance.
            actor: Who starts it; its tenant becomes the instance's.
            metadata: Facts about the start, which no step can change.
            deadline: Time after which it fails if it is not over, instead of the workflow's own; counted from its beginning.
            priority: Of its work among what is due, where a step says nothing else, instead of the workflow's own; higher is taken first.
            delay: Time until it begins; until then it is ``pending``, and can be cancelled.
            start_at: Moment at which it begins, by the store's clock, instead of a delay; one that has passed is now.
            session: A session of the application's own, with the store's database: the instance is then durable when the session is
                committed, and gone when it is rolled back. So for every method with this argument.

        Raises:
            DefinitionNotFoundError: No such workflow or version; names those that are near.
            InvalidDefinitionError: Its code wants what nothing provides.
            InputValidationError: The data do not satisfy the schema, or the moment of the start is not clear; names every place.
            PayloadError: A value cannot be stored; names its key.
            PayloadTooLargeError: The data exceed ``max_data_bytes``.
            IdempotencyConflictError: The key was used with other data.
            SessionRefusedError: The session leads to something else than the store.
        """
        name, version = self._resolve(workflow, version)
        return await (await self._at(session)).starting.start(
            name,
            initial_data if initial_data is not None else {},
            version=version,
            key=idempotency_key,
            actor=actor if actor is not None else SYSTEM,
            metadata=metadata,
            deadline=deadline,
            priority=priority,
            delay=delay,
            start_at=start_at,
        )

    async def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> WorkflowInstance:
        """An instance as it stands.

        Raises:
            InstanceNotFoundError: There is none (for that tenant).
        """
        return await read_instance(self.store, self.queries, self._codec, instance_id, tenant=tenant)

    async def wait(
        self,
        instance_id: UUID,
        *,
        timeout: float | None = None,
        until: Callable[[WorkflowInstance], bool] = is_at_rest,
    ) -> WorkflowInstance:
        """Wait until an instance is over, is yet to begin, or every active step waits for something outside.

        Args:
            instance_id: The instance.
            timeout: Seconds to wait at most; None waits as long as it takes.
            until: What is waited for instead; ``lambda instance: instance.status.is_final`` waits past timers, say.

        Raises:
            TimeoutError: It has not come to that.
            InstanceNotFoundError: There is none.
        """
        return await wait_until(
            instance_id,
            until,
            commits=self._commits,
            read=self.get_instance,
            poll_s=self.settings.poll_s,
            timeout_s=timeout,
        )

    async def graph_of(self, instance: WorkflowInstance) -> WorkflowGraph:
        """The graph that an instance runs."""
        return await self._programs.graph(instance.graph_hash, instance.workflow_name, instance.workflow_version)

    async def list_graphs(self, *, name: str | None = None) -> list[WorkflowGraph]:
        """Graphs that can be started, by name, then oldest version first: the registered ones and those kept in the store."""
        return await self._programs.known(name)

    async def find_graph(self, name: str, version: str | None = None) -> WorkflowGraph:
        """The graph that a start of this name and version would run; None is the newest version.

        Raises:
            DefinitionNotFoundError: It is not known; names those that are near.
        """
        return (await self._programs.for_start(name, version)).program.graph

    async def complete_task(
        self, task_id: UUID, data: Mapping[str, Any], *, actor: Actor, comment: str | None = None, session: Any = None
    ) -> WorkflowInstance:
        """Complete a human task. The form and the move that follows from it are committed together, once.

        Raises:
            TaskNotFoundError: There is none for the actor's tenant.
            TaskAlreadyCompletedError: Somebody else was first; says who and when.
            TaskNotOpenError: It was cancelled.
            PermissionDeniedError: It is for somebody else.
            FormValidationError: The data do not satisfy the form; names every field.
            PayloadTooLargeError: The instance's data would exceed ``max_data_bytes``.
        """
        tasks = (await self._at(session)).tasks
        task = await tasks.get(task_id, tenant=actor.tenant)
        return await tasks.complete(task, data, actor=actor, comment=comment, trusted=False)

    async def complete_human_task(
        self, instance_id: UUID, step_name: str, user_id: str, data: Mapping[str, Any], *, session: Any = None
    ) -> WorkflowInstance:
        """Complete the open task of a step in the name of a user.

        The caller vouches for the user: groups are not checked, an assignment to somebody else is refused.

        Raises:
            AmbiguousTaskError: Several tasks of the step are open; lists their ids.
            TaskNotFoundError: The step has had no task.
        """
        tasks = (await self._at(session)).tasks
        task = await tasks.find_open(instance_id, step_name, tenant=None)
        actor = Actor(user_id, tenant=task.tenant_id)
        return await tasks.complete(task, data, actor=actor, comment=None, trusted=True)

    async def reassign_task(
        self, task_id: UUID, assignee_id: str, *, actor: Actor, reason: str | None = None
    ) -> TaskRecord:
        """Give an open task to somebody else.

        Raises:
            TaskNotFoundError: There is none for the actor's tenant.
            PermissionDeniedError: The actor could not complete it either.
        """
        task = await self._desk.tasks.get(task_id, tenant=actor.tenant)
        return await self._desk.tasks.reassign(task, assignee_id, actor=actor, reason=reason)

    async def get_task(self, task_id: UUID, *, actor: Actor | None = None) -> TaskRecord:
        """One task; `TaskNotFoundError` if there is none (for the actor's tenant)."""
        return await self._desk.tasks.get(task_id, tenant=None if actor is None else actor.tenant)

    async def get_pending_tasks(
        self,
        user_id: str | None = None,
        *,
        groups: Collection[str] = (),
        tenant: str | None = None,
        workflow_name: str | None = None,
        instance_id: UUID | None = None,
    ) -> Sequence[TaskRecord]:
        """Open tasks, oldest first, at most 1000: all of them, or those that a user may do."""
        where = TaskFilter(
            tenant=tenant,
            statuses=(TaskStatus.PENDING,),
            user_id=user_id,
            groups=frozenset(groups),
            workflow_name=workflow_name,
            instance_id=instance_id,
        )
        return (await self.queries.list_tasks(where, PageRequest(limit=1000))).items

    async def receive_webhook(self, token: str, payload: Any, *, session: Any = None) -> WorkflowInstance:
        """Take a call to a webhook address; one that comes before its step waits for it.

        Raises:
            WebhookNotFoundError: The address was not made by this application, or its instance is gone.
            WebhookAlreadyUsedError: It was used before, or its step is over.
            InputValidationError: The payload does not satisfy the step's schema.
        """
        return await (await self._at(session)).webhooks.receive(token, payload)

    def webhook_token(self, instance_id: UUID, step: str, *, visit: int = 1, scope: int = 0) -> str:
        """The token of a webhook step's address; it can be given away before the step is reached.

        Raises:
            SecretMissingError: The settings have no secret.
        """
        return sign_webhook(self.settings.secret, WebhookAddress(instance_id, scope, visit, step))

    def webhook_url(self, instance_id: UUID, step: str, *, visit: int = 1, scope: int = 0) -> str:
        """The address of a webhook step, below ``settings.public_url``."""
        return f"{self.settings.public_url}/webhooks/{self.webhook_token(instance_id, step, visit=visit, scope=scope)}"

    def codes(self) -> frozenset[str]:
        """Names of the workflows whose code this process has; claims are restricted to them."""
        return self._programs.codes()

    async def run(self, ref: WorkRef, *, worker: str, queues: frozenset[str] | None = None) -> bool:
        """Claim one work item and run it, with the steps that follow in place. Its lease is not renewed; `Worker` does that.

        Args:
            ref: The work item.
            worker: Boot-unique id of the worker.
            queues: Queues that it serves; None serves all.

        Returns:
            Whether there was something to run.
        """
        return await self._runner.run_one(ref, worker=worker, queues=queues)

    async def run_claim(
        self,
        claim: Claim,
        *,
        worker: str,
        holding: Holding | None = None,
        admits: Callable[[WorkItem], bool] | None = None,
    ) -> bool:
        """Run claimed work; see `StepRunner.run`."""
        return await self._runner.run(claim, worker=worker, holding=holding, admits=admits)

    async def execute_step(self, step: Any, context: WorkflowContext, previous_result: Any = None) -> Any:
        """Run one step or group by itself, here and now, without an instance; its guard and hooks run too."""
        return await run_step(self, step, context, previous_result, self._injector)

    async def _at(self, session: Any) -> Desk:
        """Where requests are taken: the store itself, or the inside of a session's transaction."""
        if session is None:
            return self._desk
        joined = await transactions_of(self.store).join(session)
        commits = JoinedCommits(joined, self._commits, self._ids)
        programs = self._programs.within(joined.store, joined.queries)
        return self._make_desk(joined.store, joined.queries, commits, programs)

    def _resolve(self, workflow: type[Any] | str | WorkflowDefinition, version: str | None) -> tuple[str, str | None]:
        if isinstance(workflow, str):
            return workflow, version
        definition = workflow if isinstance(workflow, WorkflowDefinition) else workflow.get_definition()
        self.registry.register(workflow)
        return definition.name, version or definition.version
