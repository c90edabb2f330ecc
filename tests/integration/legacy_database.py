# ruff: noqa: E501 - SQL as its users wrote it
"""Databases as they are in the field: a pipeline with a queue table and triggers, in two generations.

camelCase beside snake_case, two identities per row, enums, CHECKs, NOT NULL columns of no use to docpipe,
rows in every status word, and triggers of every kind, most of them under names that say little.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

TABLES = """
create table public.projects (
    id serial primary key,
    "projectId" varchar unique default gen_random_uuid()::text,
    name text, metadata jsonb default '{}', "createdAt" timestamptz default now()
);
insert into public.projects (name, "projectId") values ('Case 12', '00000000-0000-0000-0000-000000000012');

create type public.ocr_provider_name as enum ('textract', 'qwen_vl', 'mistral', 'openai');

create table public.source_documents (
    id serial primary key,
    document_uuid varchar not null unique
        constraint uuid_format check (document_uuid ~ '^[0-9a-fA-F-]{36}$'),
    project_fk_id int not null references public.projects (id),
    project_uuid varchar not null constraint source_documents_project_uuid_fkey references public.projects ("projectId"),
    original_file_path text not null unique,
    original_file_name text not null,
    detected_file_type varchar, file_size_bytes bigint, md5_hash varchar,
    s3_key text, s3_bucket text, s3_region text,
    initial_processing_status varchar(100),
    error_message text,
    intake_timestamp timestamptz default now(), last_modified_at timestamptz,
    raw_extracted_text text, markdown_text text, ocr_metadata_json jsonb,
    ocr_provider public.ocr_provider_name, ocr_completed_at timestamptz,
    textract_job_status varchar default 'not_started' check (textract_job_status in
        ('not_started', 'submitted', 'in_progress', 'succeeded', 'failed', 'partial_success')),
    processing_version int default 1, file_category varchar(20) default 'document'
);
create index idx_source_documents_processing_status on public.source_documents (initial_processing_status);
create index idx_source_documents_s3_key on public.source_documents (s3_key) where s3_key is not null;

create table public.neo4j_documents (
    id serial primary key,
    "documentId" varchar not null constraint neo4j_documents_documentid_key unique,
    source_document_fk_id int references public.source_documents (id),
    source_document_uuid varchar, project_id int references public.projects (id), project_uuid varchar,
    name text, "storagePath" text, "fileType" text, category text, cleaned_text_for_chunking text,
    "processingStatus" varchar, metadata_json jsonb, "createdAt" timestamptz, "updatedAt" timestamptz
);
comment on column public.neo4j_documents."processingStatus" is 'the next step';

create table public.neo4j_chunks (
    id serial primary key, "chunkId" varchar, document_id int references public.neo4j_documents (id),
    document_uuid varchar references public.neo4j_documents ("documentId"), "chunkIndex" int, text text,
    "processingStatus" varchar, "createdAt" timestamptz,
    constraint uq_document_chunk_index unique (document_id, "chunkIndex")
);
create table public.neo4j_entity_mentions (
    id serial primary key, "entityMentionId" varchar, chunk_fk_id int references public.neo4j_chunks (id), value text
);
create table public.neo4j_canonical_entities (
    id serial primary key, "canonicalEntityId" varchar, "documentId" int references public.neo4j_documents (id)
);
create table public.neo4j_relationships_staging (
    id serial primary key, "fromNodeId" varchar, "toNodeId" varchar, "relationshipType" varchar,
    properties jsonb, "createdAt" timestamptz default now()
);
alter table public.neo4j_relationships_staging enable row level security;
create table public.textract_jobs (
    id serial primary key, source_document_id int, document_uuid varchar, job_id varchar,
    job_status varchar check (job_status in ('submitted', 'in_progress', 'succeeded', 'failed')),
    constraint unique_source_document_uuid unique (document_uuid)
);
create table public.intake_log (id serial primary key, document_uuid varchar, at timestamptz default now());
"""

QUEUE = {
    1: """
create table public.document_processing_queue (
    id serial primary key,
    source_document_id int not null unique references public.source_documents (id),
    source_document_uuid varchar references public.source_documents (document_uuid),
    status varchar not null default 'pending'
        check (status in ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    priority int default 5, attempts int default 0, max_attempts int default 3, last_error text,
    processing_started_at timestamptz, processing_completed_at timestamptz, processor_id text,
    created_at timestamptz default now(), updated_at timestamptz default now()
);
""",
    2: """
create type public.processing_status as enum ('pending', 'processing', 'completed', 'failed');
create table public.document_processing_queue (
    id serial primary key,
    document_id int references public.source_documents (id),
    document_uuid varchar, source_document_uuid varchar not null unique,
    status public.processing_status not null default 'pending',
    processing_step text not null default 'intake',
    priority int default 5, retry_count int default 0, max_retries int default 3,
    started_at timestamptz, completed_at timestamptz, error_message text, result_data jsonb,
    processing_history jsonb default '[]', locktime timestamptz, worker_heartbeat timestamptz,
    created_at timestamptz default now(), updated_at timestamptz default now()
);
create index idx_queue_processing_composite on public.document_processing_queue (status, priority, created_at)
    where status = 'pending';
create view public.stuck_documents as
    select * from public.document_processing_queue where status = 'processing';
""",
}

WISHES = """
alter table public.source_documents add column celery_status varchar(50) default 'pending';
alter table public.source_documents add column celery_task_id varchar(255);
create index idx_source_documents_celery_status on public.source_documents (celery_status);
"""
"""What some installs have added to their second generation already."""

TRIGGERS = """
-- writes to the queue, by detours: a helper, dynamic SQL, another table's trigger
create function public.helper_enqueue(p_id int, p_uuid text) returns void language plpgsql as $$
begin
    insert into public.document_processing_queue (%(link_id)s, source_document_uuid) values (p_id, p_uuid)
    on conflict do nothing;
end $$;
create function public.on_new_document() returns trigger language plpgsql as $$
begin perform public.helper_enqueue(new.id, new.document_uuid); return new; end $$;
create trigger zz_first after insert on public.source_documents for each row execute function public.on_new_document();

create function public.log_intake() returns trigger language plpgsql as $$
begin insert into public.intake_log (document_uuid) values (new.document_uuid); return new; end $$;
create trigger audit_intake after insert on public.source_documents for each row execute function public.log_intake();
create function public.after_log() returns trigger language plpgsql as $$
begin
    execute format('insert into %%I (%(link_id)s, source_document_uuid) select id, document_uuid '
                   'from source_documents where document_uuid = $1 on conflict do nothing', 'document_processing_queue')
    using new.document_uuid;
    return new;
end $$;
create trigger log_follow_up after insert on public.intake_log for each row execute function public.after_log();

create function public.sync_it() returns trigger language plpgsql as $$
begin
    -- terminal states close the queue's row
    if new.initial_processing_status in ('completed') then
        update document_processing_queue q set status = 'completed' where q.source_document_uuid = new.document_uuid;
    elsif new.initial_processing_status like 'error%%' or new.initial_processing_status like 'failed%%' then
        update document_processing_queue q set status = 'failed' where q.source_document_uuid = new.document_uuid;
    end if;
    return new;
end $$;
create trigger keep_in_step after update of initial_processing_status on public.source_documents
    for each row execute function public.sync_it();

create function public.start_at_once() returns trigger language plpgsql as $$
begin
    NEW."initial_processing_status" := 'processing';
    return NEW;
end $$;
create trigger a_start before insert on public.source_documents for each row execute function public.start_at_once();

create function public.next_step() returns trigger language plpgsql as $$
begin
    if new."processingStatus" = 'text_processing_completed' then
        update public.source_documents set last_modified_at = now(), initial_processing_status = 'pending_ner'
         where document_uuid = new."documentId";
    end if;
    return new;
end $$;
create trigger on_graph_row after update on public.neo4j_documents for each row execute function public.next_step();

create function public.job_done() returns trigger language plpgsql as $$
begin
    if new.job_status = 'succeeded' then
        update source_documents set initial_processing_status = 'ocr_complete_pending_doc_node'
         where id = new.source_document_id;
    end if;
    return new;
end $$;
create trigger job_watch after update on public.textract_jobs for each row execute function public.job_done();

-- notifies only; it compares a status and writes none
create function public.tell_monitor() returns trigger language plpgsql as $$
begin
    if new.initial_processing_status = 'completed' and old.initial_processing_status <> 'completed' then
        perform pg_notify('documents', json_build_object('id', new.id, 'status', new.initial_processing_status)::text);
    end if;
    return new;
end $$;
create trigger monitoring_source_docs_trigger after update on public.source_documents
    for each row execute function public.tell_monitor();
create function public.tell_queue() returns trigger language plpgsql as $$
begin perform pg_notify('queue', new.id::text); return new; end $$;
create trigger queue_notify_trigger after insert or update on public.document_processing_queue
    for each row execute function public.tell_queue();

-- ids and time stamps, to be kept
create function public.fill_uuid() returns trigger language plpgsql as $$
begin
    if new.document_uuid is null then new.document_uuid := gen_random_uuid()::text; end if;
    return new;
end $$;
create trigger status_queue_helper before insert on public.source_documents
    for each row execute function public.fill_uuid();
create function public.chunk_ids() returns trigger language plpgsql as $$
begin new."chunkId" = coalesce(new."chunkId", gen_random_uuid()::text); return new; end $$;
create trigger maintain_neo4j_chunks_ids before insert on public.neo4j_chunks
    for each row execute function public.chunk_ids();
create function public.touch() returns trigger language plpgsql as $$
begin new.updated_at = now(); return new; end $$;
create trigger update_queue_updated_at before update on public.document_processing_queue
    for each row execute function public.touch();
create function public.touch_graph() returns trigger language plpgsql as $$
begin new."updatedAt" = now(); return new; end $$;
create trigger set_timestamp_neo4j_documents before update on public.neo4j_documents
    for each row execute function public.touch_graph();

-- switched off by somebody long ago: stays as it is
create trigger old_experiment after insert on public.source_documents
    for each row execute function public.on_new_document();
alter table public.source_documents disable trigger old_experiment;

-- the three that every install of this pipeline may have
create function public.queue_to_source() returns trigger language plpgsql as $$
begin
    update public.source_documents set initial_processing_status = new.status::text
     where document_uuid = new.source_document_uuid;
    return new;
end $$;
create trigger update_source_document_status_on_queue_change after update of status
    on public.document_processing_queue for each row execute function public.queue_to_source();
create trigger auto_process_on_status_change after update on public.source_documents
    for each row execute function public.tell_monitor();
create trigger trigger_next_processing_step after update on public.neo4j_documents
    for each row when (old."processingStatus" is distinct from new."processingStatus")
    execute function public.next_step();
alter table public.neo4j_documents enable always trigger trigger_next_processing_step;
"""

GRANTS = """
grant all on all tables in schema public to anon, authenticated, service_role;
grant all on all sequences in schema public to anon, authenticated, service_role;
alter table public.source_documents enable row level security;
create policy readers on public.source_documents for select to authenticated using (true);
"""


@dataclass
class Legacy:
    """What was put into a legacy database."""

    generation: int
    documents: dict[str, str] = field(default_factory=dict)
    """Label to document_uuid."""

    def add(self, connection: psycopg.Connection, label: str, **values: Any) -> str:
        """One document. `queue` is the status of its row in the queue, `step` its step, `graph` the
        processingStatus of its graph row; the rest are columns of source_documents.
        """
        uid = str(uuid.uuid5(uuid.NAMESPACE_URL, label))
        queue, step, graph = values.pop("queue", None), values.pop("step", None), values.pop("graph", None)
        row = {
            "document_uuid": uid, "project_fk_id": 1, "project_uuid": "00000000-0000-0000-0000-000000000012",
            "original_file_path": f"/nowhere/{label}", "original_file_name": f"{label}.txt",
            "intake_timestamp": "2025-05-28T10:00:00Z",
        } | values  # fmt: skip
        number = _insert(connection, "source_documents", row, "returning id")
        if graph is not None:
            graph_row = {"documentId": uid, "source_document_fk_id": number, "processingStatus": graph}
            _insert(connection, "neo4j_documents", graph_row)
        if queue is not None:
            self._queue(connection, uid, number, queue, step)
        self.documents[label] = uid
        return uid

    def queue(self, dsn: str, label: str) -> None:
        """A new row of the queue for a document that is there."""
        uid = self.documents[label]
        with psycopg.connect(dsn, autocommit=True) as connection:
            row = connection.execute(
                "select id from source_documents where document_uuid = %s", (uid,)
            ).fetchone()
            assert row is not None
            self._queue(connection, uid, row[0], "pending", None)

    def _queue(
        self, connection: psycopg.Connection, uid: str, number: int, status: str, step: str | None
    ) -> None:
        row: dict[str, Any] = {
            "source_document_uuid": uid,
            "status": status,
        }
        row |= {"source_document_id": number} if self.generation == 1 else {"document_id": number}
        if self.generation == 2 and step:
            row["processing_step"] = step
        _insert(connection, "document_processing_queue", row)


def _insert(connection: psycopg.Connection, table: str, row: Mapping[str, Any], tail: str = "") -> int:
    names = ", ".join(f'"{name}"' for name in row)
    holes = ", ".join(["%s"] * len(row))
    query = f"insert into public.{table} ({names}) values ({holes}) {tail}".encode()
    done = connection.execute(query, list(row.values()))
    found = done.fetchone() if tail else None
    return found[0] if found else 0


def build(dsn: str, generation: int, *, celery: bool = False) -> Legacy:
    """Make the schema of one generation, with its triggers, and no rows yet.

    Args:
        celery: with a `celery_status` that reads pending in every old row.
    """
    link = "source_document_id" if generation == 1 else "document_id"
    with psycopg.connect(dsn, autocommit=True) as connection:
        for part in (
            TABLES,
            QUEUE[generation],
            WISHES if celery else "",
            TRIGGERS % {"link_id": link},
            GRANTS,
        ):
            connection.execute(part.encode())
    return Legacy(generation)


def fill(dsn: str, legacy: Legacy, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Put rows in as they were when the old system's triggers had long done their work."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        for label, values in rows:
            legacy.add(connection, label, **values)


def value(dsn: str, query: str, *arguments: Any) -> Any:
    """The first column of the first row."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode(), arguments or None).fetchone()
    return None if row is None else row[0]


def table(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """All rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def run(dsn: str, statements: str) -> None:
    """Any statements."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statements.encode())
