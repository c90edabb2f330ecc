-- The tables of sql/, in SQLite's words. Times are ISO 8601 in UTC, JSON is text.

create table if not exists source_documents (
    id integer primary key,
    document_uuid text not null unique,
    project_id text,
    original_file_path text not null,
    original_file_name text not null,
    detected_file_type text,
    file_size_bytes integer not null,
    initial_processing_status text not null,
    celery_status text not null,
    celery_task_id text,
    error_message text,
    raw_extracted_text text,
    ocr_completed_at text,
    content_digest text not null,
    document_metadata text not null,
    docpipe_run integer,
    docpipe_result_run integer,
    docpipe_reading text,
    docpipe_depth integer not null default 0,
    docpipe_family text,
    docpipe_page_count integer,
    created_at text not null,
    updated_at text not null
);
create unique index if not exists source_documents_content_idx
    on source_documents (coalesce(project_id, ''), content_digest);
create index if not exists source_documents_project_idx on source_documents (project_id, id);
create index if not exists source_documents_counts_idx
    on source_documents (celery_status, initial_processing_status, project_id);
drop index if exists source_documents_status_idx;

create table if not exists docpipe_idempotency_keys (
    project_id text not null,
    key text not null,
    document_uuid text not null references source_documents (document_uuid) on delete cascade,
    created_at text not null,
    primary key (project_id, key)
);
create index if not exists docpipe_idempotency_keys_document_idx on docpipe_idempotency_keys (document_uuid);

create table if not exists neo4j_documents (
    id integer primary key,
    "documentId" text not null,
    "sourceDocumentUuid" text not null unique references source_documents (document_uuid) on delete cascade,
    "processingStatus" text not null,
    name text
);

create table if not exists docpipe_runs (
    document_uuid text not null references source_documents (document_uuid) on delete cascade,
    run integer not null,
    state text not null default 'active'
        check (state in ('active', 'completed', 'failed', 'cancelled', 'superseded')),
    source_uri text not null,
    source_copied integer,
    priority integer not null default 0,
    cancel_requested integer not null default 0,
    file_type text,
    text text,
    metadata text not null default '{}',
    created_at text not null,
    finished_at text,
    batch text,
    trace_parent text,
    traced_until text,
    held_at text,
    unlinked integer,
    share text,
    admitted_at text,
    primary key (document_uuid, run)
);

create table if not exists docpipe_pauses (
    kind text not null check (kind in ('all', 'stage', 'project')),
    name text not null default '',
    at text not null,
    primary key (kind, name)
);

create table if not exists docpipe_limits (
    kind text not null check (kind in ('all', 'project')),
    name text not null default '',
    in_flight integer check (in_flight > 0),
    per_day integer check (per_day > 0),
    weight real not null default 1 check (weight > 0),
    primary key (kind, name)
);

create index if not exists docpipe_runs_source_idx on docpipe_runs (source_uri);
create index if not exists docpipe_runs_finished_idx on docpipe_runs (finished_at);

create table if not exists stage_runs (
    document_uuid text not null,
    run integer not null,
    stage text not null,
    position integer not null,
    queue text not null,
    words text not null,
    state text not null default 'queued'
        check (state in ('queued', 'running', 'retrying', 'complete', 'failed', 'cancelled')),
    attempt integer not null default 0,
    task_id text,
    worker text,
    claim_id text,
    token integer,
    lease_expires_at text,
    makes text not null default '[]',
    output text,
    engine text,
    docpipe_version text,
    waits_since text,
    warnings text not null default '[]',
    queued_at text,
    started_at text,
    finished_at text,
    error_code text,
    error_class text,
    error_message text,
    error_traceback text,
    priority integer,
    primary key (document_uuid, run, stage),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);
create index if not exists stage_runs_open_idx on stage_runs (state, lease_expires_at)
    where state in ('queued', 'running', 'retrying');
create index if not exists stage_runs_finished_idx on stage_runs (finished_at);
create index if not exists stage_runs_error_idx on stage_runs (error_code) where error_code is not null;

create table if not exists docpipe_page_ranges (
    document_uuid text not null,
    run integer not null,
    first_page integer not null,
    last_page integer not null,
    stage text not null,
    state text not null default 'queued'
        check (state in ('queued', 'running', 'retrying', 'complete', 'failed', 'cancelled')),
    attempt integer not null default 0,
    task_id text,
    worker text,
    claim_id text,
    token integer,
    lease_expires_at text,
    output text,
    queued_at text,
    started_at text,
    finished_at text,
    error_code text,
    error_class text,
    error_message text,
    error_traceback text,
    primary key (document_uuid, run, first_page),
    foreign key (document_uuid, run, stage) references stage_runs (document_uuid, run, stage) on delete cascade
);
create index if not exists docpipe_page_ranges_open_idx on docpipe_page_ranges (queued_at)
    where state in ('queued', 'running', 'retrying');

create table if not exists docpipe_attempts (
    token integer primary key,
    document_uuid text not null,
    run integer not null,
    stage text not null,
    first_page integer,
    last_page integer,
    attempt integer not null,
    task_id text,
    worker text,
    started_at text not null,
    ended_at text,
    ended text
        check (ended in ('complete', 'split', 'retried', 'failed', 'lost', 'cancelled', 'stopped')),
    error_code text,
    error_class text,
    error_message text,
    error_traceback text,
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);
create index if not exists docpipe_attempts_run_idx on docpipe_attempts (document_uuid, run, token);
create index if not exists docpipe_attempts_ended_idx on docpipe_attempts (ended_at);

-- Fencing tokens: one counter that only ever grows.
create table if not exists docpipe_token (last integer not null);
insert into docpipe_token (last) select 0 where not exists (select 1 from docpipe_token);

create table if not exists docpipe_history (
    id integer primary key,
    document_uuid text not null references source_documents (document_uuid) on delete cascade,
    run integer not null,
    status text not null,
    graph_status text,
    at text not null
);
create index if not exists docpipe_history_document_idx on docpipe_history (document_uuid, id);

create table if not exists docpipe_pages (
    document_uuid text not null,
    run integer not null,
    number integer not null,
    start_offset integer not null,
    end_offset integer not null,
    width real,
    height real,
    method text not null,
    reason text not null,
    confidence real,
    part text not null,
    lines text not null,
    primary key (document_uuid, run, number),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

-- What searches look at: the pages of the run whose results are read. The words are an index, and hold no text.
create table if not exists docpipe_page_search (
    id integer primary key,
    document_uuid text not null,
    run integer not null,
    number integer not null,
    text text not null,
    unique (document_uuid, run, number),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);
create virtual table if not exists docpipe_page_words using fts5 (
    text, content = 'docpipe_page_search', content_rowid = 'id',
    tokenize = "porter unicode61 remove_diacritics 0"
);
create trigger if not exists docpipe_page_search_put after insert on docpipe_page_search begin
    insert into docpipe_page_words (rowid, text) values (new.id, new.text);
end;
create trigger if not exists docpipe_page_search_gone after delete on docpipe_page_search begin
    insert into docpipe_page_words (docpipe_page_words, rowid, text) values ('delete', old.id, old.text);
end;

create table if not exists docpipe_chunks (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    start_offset integer not null,
    end_offset integer not null,
    page_from integer not null,
    page_to integer not null,
    text text not null,
    boxes text,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

-- Of passages, for searches by meaning: 32-bit floats, the lowest byte first. Vectors of one model are compared.
create table if not exists docpipe_vectors (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    chunk integer not null,
    start_offset integer not null,
    end_offset integer not null,
    page integer not null,
    model text not null,
    vector blob not null,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

create table if not exists docpipe_mentions (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    text text not null,
    label text not null,
    start_offset integer not null,
    end_offset integer not null,
    page integer not null,
    box text,
    score real not null,
    source text not null,
    chunk integer not null,
    value text,
    boxes text,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

create table if not exists docpipe_entities (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    name text not null,
    label text not null,
    mentions text not null,
    merges text,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

create table if not exists docpipe_relations (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    type text not null,
    source integer not null,
    target integer not null,
    start_offset integer not null,
    end_offset integer not null,
    page integer not null,
    score real not null,
    verb text,
    count integer,
    boxes text,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

create table if not exists docpipe_edges (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    type text not null,
    source text not null,
    target text not null,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

create table if not exists docpipe_facts (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    type text not null,
    role text not null,
    text text not null,
    value text,
    entity integer,
    holder integer,
    start_offset integer not null,
    end_offset integer not null,
    page integer not null,
    score real not null,
    boxes text,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);

create table if not exists docpipe_children (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    name text not null,
    file_type text not null,
    size integer not null,
    digest text not null,
    source_uri text not null,
    child_uuid text references source_documents (document_uuid) on delete set null,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run) references docpipe_runs (document_uuid, run) on delete cascade
);
create index if not exists docpipe_children_child_idx on docpipe_children (child_uuid);

create table if not exists docpipe_entity_names (
    document_uuid text not null,
    run integer not null,
    "index" integer not null,
    project_id text not null,
    key text not null,
    name text not null,
    label text not null,
    spellings text not null,
    mention_count integer not null,
    primary key (document_uuid, run, "index"),
    foreign key (document_uuid, run, "index")
        references docpipe_entities (document_uuid, run, "index") on delete cascade
);
create index if not exists docpipe_entity_names_key_idx on docpipe_entity_names (project_id, key);

create table if not exists docpipe_entity_blocks (
    project_id text not null,
    block text not null,
    key text not null,
    primary key (project_id, block, key)
);
create index if not exists docpipe_entity_blocks_key_idx on docpipe_entity_blocks (project_id, key);

create table if not exists docpipe_entity_links (
    project_id text not null,
    key_a text not null,
    key_b text not null check (key_a < key_b),
    rule text not null,
    score real not null,
    primary key (project_id, key_a, key_b)
);
create index if not exists docpipe_entity_links_key_b_idx on docpipe_entity_links (project_id, key_b);

create table if not exists docpipe_entity_decisions (
    project_id text not null,
    key_a text not null,
    key_b text not null check (key_a < key_b),
    same integer not null,
    who text not null default '',
    why text not null default '',
    at text not null,
    primary key (project_id, key_a, key_b)
);
create index if not exists docpipe_entity_decisions_key_b_idx on docpipe_entity_decisions (project_id, key_b);

create table if not exists docpipe_entity_linked (
    document_uuid text primary key references source_documents (document_uuid) on delete cascade,
    run integer not null
);

create table if not exists docpipe_actions (
    id text primary key,
    at text not null,
    who text not null,
    action text not null,
    target text,
    project_id text,
    why text not null
);
create index if not exists docpipe_actions_at_idx on docpipe_actions (at);

create table if not exists docpipe_erasures (
    document_uuid text primary key,
    copies text not null,
    tried_at text,
    at text not null
);

create table if not exists docpipe_webhooks (
    id text primary key,
    url text not null,
    secret text not null,
    events text not null,
    project_id text,
    created_at text not null
);

create table if not exists docpipe_webhook_events (
    place integer primary key,
    id text not null unique,
    webhook_id text not null references docpipe_webhooks (id) on delete cascade,
    document_uuid text references source_documents (document_uuid) on delete cascade,
    subject text not null,
    type text not null,
    data text not null,
    at text not null,
    state text not null default 'due' check (state in ('due', 'delivered', 'given_up')),
    attempt integer not null default 0,
    due_at text not null,
    settled_at text
);
create index if not exists docpipe_webhook_events_due_idx on docpipe_webhook_events (webhook_id, due_at)
    where state = 'due';
create index if not exists docpipe_webhook_events_order_idx
    on docpipe_webhook_events (webhook_id, subject, place) where state = 'due';
create index if not exists docpipe_webhook_events_webhook_idx on docpipe_webhook_events (webhook_id, place);
create index if not exists docpipe_webhook_events_document_idx on docpipe_webhook_events (document_uuid);
create index if not exists docpipe_webhook_events_settled_idx on docpipe_webhook_events (settled_at);

create table if not exists docpipe_webhook_deliveries (
    id integer primary key,
    event_id text not null references docpipe_webhook_events (id) on delete cascade,
    attempt integer not null,
    at text not null,
    seconds real not null,
    status integer,
    error text
);
create index if not exists docpipe_webhook_deliveries_event_idx on docpipe_webhook_deliveries (event_id);
