"""The wiring: one object that joins a Celery app, a store, sources and stages.

What needs Celery or Redis is imported where it is used: an embedded run and a look into the store do without
both, which spares them half a second.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack
from uuid import UUID

from docpipe.engines.ports import EmbedEngine
from docpipe.errors import ConfigurationError, DocpipeError
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.logs import get_logger
from docpipe.execution.options import Options
from docpipe.execution.plan import BUILT_IN, WITH_EMBED, StageSpec, checked
from docpipe.execution.policy import Policy
from docpipe.execution.progress import Progress
from docpipe.execution.runner import Runtime
from docpipe.execution.tools import Tools
from docpipe.models import Document, Ref
from docpipe.models.status import CANCELLED, is_error
from docpipe.pipeline.documents import known_id
from docpipe.pipeline.in_process import run_children, run_stages
from docpipe.pipeline.linking import LinkWhenDone
from docpipe.pipeline.project import Project
from docpipe.pipeline.steering import Steering
from docpipe.pipeline.submission import Submission, good_end
from docpipe.pipeline.submitting import Asked, SubmitArguments, Submitter, Terms, reading_options
from docpipe.pipeline.telling import OnComplete, TellHost
from docpipe.pipeline.upkeep import look_after
from docpipe.sources import SourceLike, Sources
from docpipe.stores.ids import may_be_stored
from docpipe.stores.port import Store
from docpipe.stores.values import Handover

if TYPE_CHECKING:
    from celery import Celery

    from docpipe.delivery.broker import Broker
    from docpipe.delivery.monitoring.deployment import Deployment
    from docpipe.delivery.monitoring.doctor import Finding
    from docpipe.delivery.monitoring.health import Health, Thresholds
    from docpipe.delivery.recovery import Recovery

log = get_logger(__name__)


class Pipeline(Steering):
    """docpipe on a host's own Celery app. Two pipelines, on two apps, share nothing.

    Args:
        app: the host's app; the stages' tasks are registered on it. None: only `process` works.
        store: where state and results live.
        sources: where bytes come from and rest.
        stages: `docpipe.execution.plan.BUILT_IN`, or a list with stages of the host's own among them. None:
            the built-in ones, with `EMBED` where the options name an engine for it.
        options: how the built-in stages work.
        policy: leases, retries, time limits.
        progress: notified of changes of state; None: nothing is.
        waive: names of checks of `docpipe doctor` that do not keep a worker from starting.
        webhook_hosts: hosts of the own network, `name` or `name:port`, that webhooks may be on, and by http.
        otlp_endpoint: where traces of ended runs are sent, `http://host:4318`; None: nowhere.
        on_complete: called with the id and the run of each document that completes in this process.

    Raises:
        ConfigurationError: the stages make no pipeline, or the app carries another one.
    """

    def __init__(
        self,
        app: Celery | None = None,
        *,
        store: Store,
        sources: Sources | None = None,
        stages: Sequence[StageSpec] | None = None,
        options: Options | None = None,
        policy: Policy | None = None,
        progress: Progress | None = None,
        waive: Collection[str] = (),
        webhook_hosts: Collection[str] = (),
        otlp_endpoint: str | None = None,
        on_complete: OnComplete | None = None,
    ) -> None:
        self.app = app
        super().__init__(store, sources, progress, webhook_hosts, otlp_endpoint)
        options = options or Options()
        built_in = WITH_EMBED if options.embed_engine else BUILT_IN
        self.stages = checked(built_in if stages is None else stages)
        self.policy = policy or Policy()
        self._waived = frozenset(waive)
        self.runtime = Runtime(
            store=store,
            sources=self.sources,
            tools=Tools(options),
            reader=ReaderProcess(options),
            policy=self.policy,
            progress=self._progress,
            completion=LinkWhenDone(store, self.stages[-1].name, TellHost(self, on_complete)),
        )
        if app is not None or "celery" in sys.modules:  # a host's task may call `process`
            self._meet_celery(app)

    def _meet_celery(self, app: Celery | None) -> None:
        from docpipe.delivery import tasks  # noqa: PLC0415

        self.runtime = replace(self.runtime, translations=tasks.TRANSLATIONS, passes=tasks.PASSES)
        if app is not None:
            delivered = replace(self.runtime, children_found=self._publish_children)
            from celery.signals import worker_init  # noqa: PLC0415

            tasks.register(
                app, self.stages, delivered, self.reap, self._answer_canary, self.hand_over, self._admit
            )
            worker_init.connect(self._begin_worker)

    def _publish_children(self, ref: Ref) -> None:
        """What fails here the reaper does later: the stage is complete all the same."""
        try:
            self._dispatch.begin_due(self.store.children_due(ref))
        except DocpipeError as error:
            log.warning("children_not_published", document=ref.document_uuid, run=ref.run, error=str(error))

    def _encoder(self) -> EmbedEngine:
        return self.runtime.tools.embed

    # --- look at itself -------------------------------------------------------------------------

    def examine(self, *, consumers: bool = True) -> list[Finding]:
        """What `docpipe doctor` shows: each thing that was looked at, and what to set where it is wrong."""
        from docpipe.delivery.monitoring.doctor import examine  # noqa: PLC0415

        return examine(self.deployment, consumers=consumers)

    def _answer_canary(self, queue: str, number: int) -> None:
        self.broker.answer_canary(queue, number)

    def health(self, limits: Thresholds | None = None) -> Health:
        """Check broker, store, schema, consumers, queues, leases and quarantine.

        Takes milliseconds while all is well, and at most `limits.canary_seconds` and the services' time-outs
        (30 seconds for the store, 10 for Redis) when it is not. Raises nothing for a service that is away.

        Raises:
            ConfigurationError: the pipeline has no Celery app, or a setting is wrong.
        """
        from docpipe.delivery.monitoring.health import Thresholds, examine_health  # noqa: PLC0415

        return examine_health(self.deployment, limits or Thresholds())

    def ready(self) -> Health:
        """Check broker, store and schema, and nothing that workers do: may this process serve? Raises as
        `health`.
        """
        from docpipe.delivery.monitoring.health import examine_readiness  # noqa: PLC0415

        return examine_readiness(self.deployment)

    @property
    def deployment(self) -> Deployment:
        """What doctor, health and monitor look at. Raises `ConfigurationError` without a Celery app."""
        from docpipe.delivery.monitoring.deployment import Deployment  # noqa: PLC0415

        options = self.runtime.tools.options
        return Deployment(
            self._app(),
            self.store,
            self.broker,
            self.policy,
            self.stages,
            layers=self.runtime.reader.layers if options.isolate else None,
            layers_required=options.sandbox.mode == "require",
            waived=self._waived,
            traced=self.traces.endpoint is not None,
        )

    def accept_fingerprint(self) -> None:
        """Say that this pipeline's store and stages are the right ones from now on."""
        self.broker.agreed(self.deployment.fingerprint, insist=True)

    def _begin_worker(self, sender: object, **_: object) -> None:
        """As `begin_worker`, for workers of this app."""
        if getattr(sender, "app", None) is not self.app:
            return
        from docpipe.delivery.monitoring.starting import begin_worker  # noqa: PLC0415

        begin_worker(self.deployment)

    # --- one tenant -----------------------------------------------------------------------------

    def project(self, project_id: str) -> Project:
        """A handle that sees the documents of one project only, for a host that acts for one tenant.

        Raises:
            ConfigurationError: the id is empty, or no store can hold it.
        """
        if not may_be_stored(project_id):
            raise ConfigurationError(f"project_id={project_id!a} holds NUL or half a character.")
        return Project(self, project_id)

    # --- submit ---------------------------------------------------------------------------------

    def submit(
        self,
        source: SourceLike,
        *,
        name: str | PathLike[str] | None = None,
        project_id: str | UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        priority: int | None = None,
        reprocess: bool = False,
        dpi: int | None = None,
        languages: Sequence[str] | None = None,
        engine: str | None = None,
        idempotency_key: str | None = None,
    ) -> Submission:
        """Write the document's row, then publish its first task.

        The same bytes in the same project are one document: a second submit returns the first, unless
        `reprocess` asks for a new run.

        Args:
            source: a path, `s3://…`, `https://…` (if allowed), bytes, a binary file object, or an upload of a
                web framework (an object with `file` and `filename`).
            name: the document's name; needed for bytes.
            project_id: text or a UUID; groups documents; also the border within which equal bytes are one
                document.
            metadata: any JSON object; kept with the document. Dates, UUIDs, paths and decimals become text.
            priority: 0 (first) to 9 (last).
            dpi, languages, engine: how this document's scanned pages are read, where not as the pipeline's
                options say: dots per inch, 72 to 600; languages as the engine names them (`["eng", "deu"]`;
                of docpipe's only Tesseract is told them); an OCR engine of docpipe's or of the pipeline's.
                They are kept with the document and hold for its later runs too.
            idempotency_key: any text of at most 255 characters. In a project the same key gives the same
                document, whatever `reprocess` says: a request that is repeated begins nothing anew.

        Raises:
            IdempotencyError: the key stands for a document with other bytes.
            DocpipeError: the source cannot be read, or the store cannot be reached. A broker that cannot
                be reached raises nothing: the row is `pending`, and submitting again, or the
                reaper, publishes it.
        """
        reading = reading_options(self.runtime.tools.options, dpi, languages, engine)
        terms = Terms(
            project_id, metadata, priority or 0, reprocess, reading=reading, idempotency_key=idempotency_key
        )
        return self._submitter.submit(self.sources.take_in(source, name), terms, self._dispatch)

    async def asubmit(self, source: SourceLike, **arguments: Unpack[SubmitArguments]) -> Submission:
        """As `submit`, in a thread: the event loop goes on while bytes are read and services answer."""
        return await asyncio.to_thread(self.submit, source, **arguments)

    def submit_many(
        self,
        sources: Iterable[SourceLike],
        *,
        name: str | PathLike[str] | None = None,
        project_id: str | UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        priority: int | None = None,
        reprocess: bool = False,
        dpi: int | None = None,
        languages: Sequence[str] | None = None,
        engine: str | None = None,
        batch: str | None = None,
    ) -> Iterator[Submission | DocpipeError]:
        """Submit each source; one that cannot be submitted yields its error and stops nothing.

        Sources are read as the results are asked for, 500 at a time, and registered by one call of the store.
        If nobody asks for any, nothing is submitted, and a `RuntimeWarning` says so.

        Args:
            name, project_id, metadata, priority, reprocess, dpi, languages, engine: as for `submit`, the same
                for all.
            batch: a name under which all of them can be looked at together, see `batch`.

        Raises:
            ConfigurationError: an argument is wrong, or the pipeline has no Celery app.
        """
        reading = reading_options(self.runtime.tools.options, dpi, languages, engine)
        terms = Terms(project_id, metadata, priority or 0, reprocess, batch, reading)
        return Asked(self._submitter.submit_many(sources, name, terms, self._dispatch))

    @property
    def _submitter(self) -> Submitter:
        return Submitter(self.store, self.sources, [stage.planned for stage in self.stages])

    @cached_property
    def broker(self) -> Broker:
        """What waits in this pipeline's broker."""
        from docpipe.delivery.broker import Broker  # noqa: PLC0415

        return Broker(self._app())

    @cached_property
    def _recovery(self) -> Recovery:
        from docpipe.delivery.recovery import Recovery  # noqa: PLC0415

        return Recovery(self.store, self.broker, self._dispatch, self.policy)

    def publish(self, ref: Ref, *, priority: int = 0) -> str | None:
        """Publish a run that the store has and that was never published.

        Returns:
            The id of its first task; None if the broker cannot be reached: the reaper sends it later.
        """
        return self._dispatch.begin(ref, priority)

    # --- resume ---------------------------------------------------------------------------------

    def reap(self) -> Counter[str]:
        """Resume every run whose message or worker is lost; end those that were started too often.

        Safe to call at any time and from several processes: a run that moves on meanwhile is left alone.

        Returns:
            How many were resumed (`resume`), quarantined (`poison`), failed because a rule of the database's
            own refuses them (`refused`), ended as asked (`cancelled`) or could not be resumed, for a reason
            that the log has (`not_revived`); of how many deleted documents the rest was removed (`erased`);
            how many that a pause had held go on (`released`), and how many that waited for their share
            (`admitted`). Where `Policy.keep` says how long things are kept: how many documents (`expired`)
            and statuses of their history (`history`) were older.
            Of webhooks, what `Webhooks.deliver` counts; how many runs were `traced`.

        Raises:
            BrokerUnavailableError, StoreUnavailableError: nothing was decided; call again later.
        """
        outcomes = self._recovery.reap()
        outcomes.update(look_after(self, self.policy.keep))
        return outcomes

    def hand_over(self, ref: Ref, handover: Handover, task_id: str | None = None) -> None:
        """Publish what is due of a long document. The reaper publishes what the broker refuses."""
        self._dispatch.hand_over(ref, handover, task_id)

    def resume(self, document_uuid: str) -> str | None:
        """Resume a failed, quarantined or cancelled document at its first incomplete stage, with input
        read from the store.

        Returns:
            The id of the new first task; None if there is nothing to resume.
        """
        return self._recovery.resume(known_id(document_uuid))

    def reprocess(self, document_uuid: str, *, from_stage: str = "ocr") -> str | None:
        """Begin a new run that keeps the results of the stages before `from_stage`.

        The old run's results stay readable until the new run completes.

        Returns:
            The id of the new first task; None if it waits for the broker.

        Raises:
            ConfigurationError: the pipeline has no such stage, or no run has completed the earlier ones.
            DocumentNotFoundError: the store knows no such document.
        """
        return self._recovery.reprocess(known_id(document_uuid), from_stage)

    def retry_pages(self, document_uuid: str) -> str | None:
        """Begin a new run that reads again the pages that could not be read.

        Of a long document only the ranges they stand in; of a shorter one all pages. The old run's results
        stay readable until the new run completes.

        Returns:
            The id of the new first task; None if the newest run lost no page or is not completed.

        Raises:
            DocumentNotFoundError: the store knows no such document.
        """
        return self._recovery.retry_pages(known_id(document_uuid))

    # --- in this process ------------------------------------------------------------------------

    def process(
        self,
        source: SourceLike,
        *,
        name: str | PathLike[str] | None = None,
        project_id: str | UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        reprocess: bool = False,
        dpi: int | None = None,
        languages: Sequence[str] | None = None,
        engine: str | None = None,
    ) -> Document:
        """Take a document through all stages in this process, with the same ledger and store.

        A document that completed before is returned as it is; one that failed is processed again. So are the
        documents that are found inside it; those that fail raise nothing, their statuses say so. The
        arguments are those of `submit`.

        Raises:
            DocpipeError: as it was recorded, with `stage`.
        """
        reading = reading_options(self.runtime.tools.options, dpi, languages, engine)
        terms = Terms(project_id, metadata, reprocess=reprocess, reading=reading)
        taken = self.sources.take_in(source, name)
        registered = self._submitter.register(taken, terms)
        if not registered.created and (is_error(registered.status) or registered.status == CANCELLED):
            registered = self._submitter.register(taken, replace(terms, reprocess=True))
        run_stages(self.runtime, self.stages, registered.ref)
        run_children(self.runtime, self.stages, registered.ref.document_uuid, again=reprocess)
        good_end(self.store.status(registered.ref.document_uuid))
        return self.get(registered.ref.document_uuid)
