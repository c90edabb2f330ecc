-- Leaving an existing database queue: what docpipe changed and how to change it back, which rows of the
-- old queue were handed over, and the function that lets a document of the old system begin a run.

-- What `docpipe db` and `docpipe queue` changed in tables that were there before, and how to undo it.
create table if not exists public.docpipe_undo (
    id bigint generated always as identity primary key,
    at timestamptz not null,                                   -- by the clock of the machine that ran the command
    step text not null,                                        -- apply, triggers, seal
    change text not null,                                      -- what was done, for people
    undo text not null,                                        -- SQL
    rows_first boolean not null default false                  -- changes rows: runs before the schema is undone
);

-- The status a document had before `docpipe db apply` gave it one of docpipe's words.
create table if not exists public.docpipe_former_status (
    document_uuid text primary key,
    celery_status text
);

-- Rows of the old queue that were handed over. Written in the transaction that begins the document's run.
create table if not exists public.docpipe_queue_imports (
    queue_row text primary key,
    document_uuid text,
    former_status text,
    outcome text not null check (outcome in ('submitted', 'unreadable', 'complete', 'known', 'no_document')),
    note text,
    at timestamptz not null default now()
);

-- Begin the first run of a document that the old system registered; its row and uuid stay. `p_document`
-- is the JSON object of docpipe_register. False: docpipe has it already, or there is no such document.
create or replace function public.docpipe_adopt(p_document text) returns boolean
language plpgsql set search_path = '' as $$
declare
    d jsonb := p_document::jsonb;
    row public.source_documents;
begin
    select * into row from public.source_documents where document_uuid = d->>'document_uuid' for update;
    if row.document_uuid is null or row.docpipe_run is not null then
        return false;
    end if;
    begin
        update public.source_documents set content_digest = d->>'digest'
         where document_uuid = row.document_uuid;
    exception when unique_violation then                       -- the same bytes twice: each keeps its own results
        null;
    end;
    insert into public.docpipe_runs (document_uuid, run, source_uri, priority)
    values (row.document_uuid, 1, d->>'uri', (d->>'priority')::smallint);
    insert into public.stage_runs (document_uuid, run, stage, position, queue, words)
    select row.document_uuid, 1, s->>'stage', (s->>'position')::integer, s->>'queue', s->'words'
      from pg_catalog.jsonb_array_elements(d->'stages') s;
    update public.source_documents
       set docpipe_run = 1, celery_task_id = null,
           file_size_bytes = coalesce((d->>'size')::bigint, file_size_bytes),
           original_file_name = coalesce(original_file_name, d->>'name')
     where document_uuid = row.document_uuid;
    update public.neo4j_documents set "sourceDocumentUuid" = row.document_uuid
     where "documentId" = row.document_uuid and "sourceDocumentUuid" is null
       and not exists (select 1 from public.neo4j_documents n where n."sourceDocumentUuid" = row.document_uuid);
    perform public.docpipe_set_status(row.document_uuid, 1, 'pending', null, null);
    return true;
end $$;

-- What the trigger of a sealed queue calls.
create or replace function public.docpipe_refuse_queue() returns trigger
language plpgsql set search_path = '' as $$
begin
    raise exception '% is sealed: docpipe has taken over its work', tg_table_name
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'Submit documents with docpipe.submit() or `docpipe submit`. To open the queue again: '
                   'docpipe queue unseal';
end $$;

do $$
declare
    v_name text;
    v_role text;
begin
    -- Every name in docpipe's functions is qualified, but a host's trigger that fires in one may rely on the
    -- path that its tables are usually written with. None of the functions has rights of its own.
    for v_name in
        select p.oid::regprocedure::text from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\_%' and not p.prosecdef
    loop
        execute format('alter function %s set search_path = public, extensions', v_name);
    end loop;
    foreach v_name in array array['docpipe_undo', 'docpipe_former_status', 'docpipe_queue_imports'] loop
        execute format('alter table public.%I enable row level security', v_name);
    end loop;
    foreach v_name in array array['public.docpipe_adopt(text)', 'public.docpipe_refuse_queue()'] loop
        execute format('revoke all on function %s from public', v_name);
        for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke all on function %s from %I', v_name, v_role);
        end loop;
        if exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role') then
            execute format('grant execute on function %s to service_role', v_name);
        end if;
    end loop;
end $$;
