-- The ledger's moves: register, queue, claim, heartbeat, finish, retry, fail, cancel, status.
--
-- Each is one statement for the caller and one transaction here. Arguments are scalars and at most
-- one text that holds JSON. A move that comes too late (old token, finished run) changes nothing
-- and says so in what it returns. `search_path` is pinned, so every name is qualified.

-- The only place that writes a document's status: both tables and the history together.
create or replace function public.docpipe_set_status(
    p_document text, p_run integer, p_status text, p_graph_status text, p_error text
) returns void
language plpgsql set search_path = '' as $$
begin
    update public.source_documents
       set celery_status = p_status,
           initial_processing_status = p_status,
           error_message = p_error,
           updated_at = now()
     where document_uuid = p_document and docpipe_run = p_run;
    if not found then
        return;                                                -- an older run: no longer its turn
    end if;
    if p_graph_status is not null then
        insert into public.neo4j_documents ("documentId", "sourceDocumentUuid", "processingStatus", name)
        select document_uuid, document_uuid, p_graph_status, original_file_name
          from public.source_documents where document_uuid = p_document
        on conflict ("sourceDocumentUuid") do update
           set "processingStatus" = excluded."processingStatus", "updatedAt" = now();
    end if;
    insert into public.docpipe_history (document_uuid, run, status, graph_status)
    values (p_document, p_run, p_status, p_graph_status);
end $$;

create or replace function public.docpipe_register(p_document text) returns jsonb
language plpgsql set search_path = '' as $$
declare
    d jsonb := p_document::jsonb;
    row public.source_documents;
    v_run integer;
    v_own public.source_documents;                             -- its project_id has the column's own type
begin
    v_own := pg_catalog.jsonb_populate_record(
        null::public.source_documents, pg_catalog.jsonb_build_object('project_id', d->'project_id'));
    insert into public.source_documents (
        document_uuid, project_id, original_file_path, original_file_name,
        file_size_bytes, content_digest, document_metadata, celery_status, initial_processing_status
    ) values (
        d->>'document_uuid', v_own.project_id, d->>'uri', d->>'name',
        (d->>'size')::bigint, d->>'digest', d->'metadata', 'pending', 'pending'
    )
    on conflict (coalesce(project_id::text, ''), content_digest) where content_digest is not null do nothing
    returning * into row;
    if row.document_uuid is null then
        select * into strict row from public.source_documents
         where coalesce(project_id::text, '') = coalesce(v_own.project_id::text, '')
           and content_digest = d->>'digest'
           for update;
        if row.docpipe_run is not null and not (d->>'reprocess')::boolean then
            return pg_catalog.jsonb_build_object(
                'document_uuid', row.document_uuid, 'run', row.docpipe_run, 'created', false,
                'status', row.celery_status, 'task_id', row.celery_task_id);
        end if;
        update public.docpipe_runs set state = 'superseded', finished_at = now()
         where document_uuid = row.document_uuid and state = 'active';
    end if;
    v_run := coalesce(row.docpipe_run, 0) + 1;
    insert into public.docpipe_runs (document_uuid, run, source_uri, priority)
    values (row.document_uuid, v_run, d->>'uri', (d->>'priority')::smallint);
    insert into public.stage_runs (document_uuid, run, stage, position, queue, words)
    select row.document_uuid, v_run, s->>'stage', (s->>'position')::integer, s->>'queue', s->'words'
      from pg_catalog.jsonb_array_elements(d->'stages') s;
    update public.source_documents
       set docpipe_run = v_run, celery_task_id = null,
           original_file_path = d->>'uri', document_metadata = d->'metadata'
     where document_uuid = row.document_uuid;
    perform public.docpipe_set_status(row.document_uuid, v_run, 'pending', null, null);
    return pg_catalog.jsonb_build_object(
        'document_uuid', row.document_uuid, 'run', v_run, 'created', true, 'status', 'pending', 'task_id', null);
end $$;

-- Called just before the first message of a run is published. False: the stage has moved on already.
create or replace function public.docpipe_queue(
    p_document text, p_run integer, p_stage text, p_task_id text
) returns boolean
language plpgsql set search_path = '' as $$
declare
    s public.stage_runs;
begin
    update public.stage_runs set queued_at = now(), task_id = p_task_id
     where document_uuid = p_document and run = p_run and stage = p_stage and state = 'queued'
    returning * into s;
    if not found then
        return false;
    end if;
    update public.source_documents set celery_task_id = p_task_id
     where document_uuid = p_document and docpipe_run = p_run;
    perform public.docpipe_set_status(p_document, p_run, s.words->>'queued', null, null);
    return true;
end $$;

-- The message could not be published: the row says so, and the reaper publishes it later.
create or replace function public.docpipe_publish_failed(
    p_document text, p_run integer, p_stage text, p_message text
) returns boolean
language plpgsql set search_path = '' as $$
declare
    s public.stage_runs;
begin
    update public.stage_runs set queued_at = null
     where document_uuid = p_document and run = p_run and stage = p_stage and state = 'queued'
    returning * into s;
    if not found then
        return false;
    end if;
    if s.position = 0 then                                     -- a later stage never steps back
        perform public.docpipe_set_status(p_document, p_run, 'pending', null, p_message);
    end if;
    return true;
end $$;

-- `p_claim_id` makes the call repeatable: the same claim asked for again, because its answer was lost
-- on the way, is the same claim and not a rival.
create or replace function public.docpipe_claim(
    p_document text, p_run integer, p_stage text, p_claim_id text, p_task_id text, p_worker text,
    p_lease_seconds double precision, p_max_attempts integer
) returns jsonb
language plpgsql set search_path = '' as $$
declare
    r public.docpipe_runs;
    s public.stage_runs;
begin
    -- The run's row is the lock under which all stages of the run move.
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and stage = p_stage for update;
    if r.run is null or s.stage is null then
        return '{"outcome": "unknown"}';
    end if;
    if s.state = 'complete' then
        return '{"outcome": "complete"}';
    end if;
    if r.state = 'active' and r.cancel_requested then
        perform public.docpipe_end_cancelled(p_document, p_run);
        return '{"outcome": "over"}';
    end if;
    if r.state <> 'active' then
        return '{"outcome": "over"}';
    end if;
    if exists (select 1 from public.stage_runs e
                where e.document_uuid = p_document and e.run = p_run
                  and e.position < s.position and e.state <> 'complete') then
        return '{"outcome": "not_ready"}';
    end if;
    if s.state = 'running' and s.claim_id = p_claim_id then
        return pg_catalog.jsonb_build_object('outcome', 'claimed', 'token', s.token, 'attempt', s.attempt);
    end if;
    if s.state = 'running' and s.lease_expires_at > now() then
        return pg_catalog.jsonb_build_object('outcome', 'busy',
            'lease_seconds', extract(epoch from s.lease_expires_at - now()));
    end if;
    if s.attempt >= p_max_attempts then
        return '{"outcome": "poison"}'::jsonb
            || pg_catalog.jsonb_build_object('attempt', s.attempt, 'token', s.token);
    end if;
    delete from public.docpipe_staged where token = s.token;
    update public.stage_runs
       set state = 'running', attempt = attempt + 1, token = nextval('public.docpipe_token_seq'),
           claim_id = p_claim_id, task_id = p_task_id, worker = p_worker, started_at = now(),
           lease_expires_at = now() + make_interval(secs => p_lease_seconds)
     where document_uuid = p_document and run = p_run and stage = p_stage
    returning * into s;
    perform public.docpipe_set_status(
        p_document, p_run, s.words->>'processing', s.words->>'graph_started', null);
    return pg_catalog.jsonb_build_object('outcome', 'claimed', 'token', s.token, 'attempt', s.attempt);
end $$;

create or replace function public.docpipe_end_cancelled(p_document text, p_run integer) returns void
language plpgsql set search_path = '' as $$
begin
    update public.stage_runs set state = 'cancelled', finished_at = now(), lease_expires_at = null
     where document_uuid = p_document and run = p_run and state in ('queued', 'running', 'retrying');
    update public.docpipe_runs set state = 'cancelled', finished_at = now()
     where document_uuid = p_document and run = p_run;
    perform public.docpipe_set_status(p_document, p_run, 'cancelled', 'cancelled', null);
end $$;

-- 'ok': the lease is extended; 'cancelled': stop, someone asked for it; 'lost': another claim took over.
create or replace function public.docpipe_heartbeat(
    p_document text, p_run integer, p_stage text, p_token bigint, p_lease_seconds double precision
) returns text
language plpgsql set search_path = '' as $$
declare
    r public.docpipe_runs;
begin
    select * into r from public.docpipe_runs where document_uuid = p_document and run = p_run;
    if r.state is distinct from 'active' then
        return case when r.state = 'cancelled' then 'cancelled' else 'lost' end;
    end if;
    update public.stage_runs
       set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
     where document_uuid = p_document and run = p_run and stage = p_stage
       and state = 'running' and token = p_token;
    if not found then
        return 'lost';
    end if;
    return case when r.cancel_requested then 'cancelled' else 'ok' end;
end $$;

-- One part of an output that is too large for a single request.
create or replace function public.docpipe_stage_part(p_token bigint, p_part integer, p_output text) returns void
language sql set search_path = '' as $$
    insert into public.docpipe_staged (token, part, payload) values (p_token, p_part, p_output::jsonb)
    on conflict (token, part) do update set payload = excluded.payload;
$$;

-- Writes one payload's rows; `keys` is {"document_uuid": …, "run": …}.
create or replace function public.docpipe_insert_rows(keys jsonb, payload jsonb) returns void
language plpgsql set search_path = '' as $$
declare
    v_table text;
begin
    foreach v_table in array array['pages', 'chunks', 'mentions', 'entities', 'relations', 'edges'] loop
        if payload ? v_table then
            execute pg_catalog.format(
                'insert into public.%1$I select r.* from pg_catalog.jsonb_array_elements($1) e, '
                'pg_catalog.jsonb_populate_record(null::public.%1$I, e || $2) r', 'docpipe_' || v_table)
              using payload->v_table, keys;
        end if;
    end loop;
end $$;

-- The stage's rows, the ledger and the status change together, or not at all (false: token is old).
-- Like retry and fail, a repeated call with the same token is answered as the first was.
create or replace function public.docpipe_finish(
    p_document text, p_run integer, p_stage text, p_token bigint, p_output text
) returns boolean
language plpgsql set search_path = '' as $$
declare
    o jsonb := p_output::jsonb;
    keys jsonb := pg_catalog.jsonb_build_object('document_uuid', p_document, 'run', p_run);
    r public.docpipe_runs;
    s public.stage_runs;
    v_next public.stage_runs;
    v_table text;
    v_part jsonb;
    v_text text;
    v_final text;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    if exists (select 1 from public.stage_runs
                where document_uuid = p_document and run = p_run and stage = p_stage
                  and state = 'complete' and token = p_token) then
        return true;
    end if;
    if r.state is distinct from 'active' then
        delete from public.docpipe_staged where token = p_token;
        return false;
    end if;
    update public.stage_runs
       set state = 'complete', finished_at = now(), lease_expires_at = null, output = o->'extra',
           engine = o->>'engine',
           makes = o->'replaces', warnings = coalesce(o->'warnings', '[]'),
           error_code = null, error_class = null, error_message = null, error_traceback = null
     where document_uuid = p_document and run = p_run and stage = p_stage
       and state = 'running' and token = p_token
    returning * into s;
    if not found then
        delete from public.docpipe_staged where token = p_token;
        return false;
    end if;

    for v_table in select pg_catalog.jsonb_array_elements_text(o->'replaces') loop
        if v_table not in ('pages', 'chunks', 'mentions', 'entities', 'relations', 'edges') then
            raise exception 'docpipe_finish: no such result: %', v_table;
        end if;
        execute pg_catalog.format('delete from public.%I where document_uuid = $1 and run = $2',
                                  'docpipe_' || v_table) using p_document, p_run;
    end loop;
    for v_part in select payload from public.docpipe_staged where token = p_token order by part loop
        perform public.docpipe_insert_rows(keys, v_part);
        v_text := coalesce(v_text, '') || coalesce(v_part->>'text', '');
    end loop;
    delete from public.docpipe_staged where token = p_token;
    perform public.docpipe_insert_rows(keys, o);

    update public.docpipe_runs
       set text = case when o ? 'text' then coalesce(v_text, '') || (o->>'text') else text end,
           file_type = coalesce(o->>'file_type', file_type),
           metadata = coalesce(o->'metadata', metadata)
     where document_uuid = p_document and run = p_run
    returning * into r;
    if o ? 'text' then
        update public.source_documents
           set raw_extracted_text = r.text, ocr_completed_at = now(),
               detected_file_type = coalesce(r.file_type, detected_file_type)
         where document_uuid = p_document and docpipe_run = p_run;
    end if;

    perform public.docpipe_set_status(
        p_document, p_run, s.words->>'complete', s.words->>'graph_completed', null);
    select * into v_next from public.stage_runs
     where document_uuid = p_document and run = p_run and state <> 'complete' order by position limit 1;
    if found then
        update public.stage_runs set queued_at = now()
         where document_uuid = p_document and run = p_run and stage = v_next.stage;
        perform public.docpipe_set_status(p_document, p_run, v_next.words->>'queued', null, null);
        return true;
    end if;
    v_final := case when exists (select 1 from public.stage_runs
                                  where document_uuid = p_document and run = p_run and warnings <> '[]')
               then 'completed_with_warnings' else 'completed' end;
    update public.docpipe_runs set state = 'completed', finished_at = now()
     where document_uuid = p_document and run = p_run;
    update public.source_documents set docpipe_result_run = p_run
     where document_uuid = p_document and docpipe_run = p_run;
    perform public.docpipe_set_status(p_document, p_run, v_final, v_final, null);
    return true;
end $$;

-- The attempt failed and another will follow: the status stays *_processing, the ledger says why.
create or replace function public.docpipe_retry(
    p_document text, p_run integer, p_stage text, p_token bigint, p_error text, p_delay_seconds double precision
) returns boolean
language plpgsql set search_path = '' as $$
declare
    e jsonb := p_error::jsonb;
    v_mine boolean;
begin
    update public.stage_runs
       set state = 'retrying', lease_expires_at = null,
           queued_at = now() + make_interval(secs => p_delay_seconds),
           error_code = e->>'code', error_class = e->>'error_class',
           error_message = e->>'message', error_traceback = e->>'traceback'
     where document_uuid = p_document and run = p_run and stage = p_stage
       and state in ('running', 'retrying') and token = p_token;
    v_mine := found;
    delete from public.docpipe_staged where token = p_token;
    return v_mine;
end $$;

-- The stage failed for good.
create or replace function public.docpipe_fail(
    p_document text, p_run integer, p_stage text, p_token bigint, p_error text
) returns boolean
language plpgsql set search_path = '' as $$
declare
    e jsonb := p_error::jsonb;
    s public.stage_runs;
begin
    perform 1 from public.docpipe_runs
     where document_uuid = p_document and run = p_run and state = 'active' for update;
    if not found then
        return exists (select 1 from public.stage_runs
                        where document_uuid = p_document and run = p_run and stage = p_stage
                          and state = 'failed' and token = p_token);
    end if;
    update public.stage_runs
       set state = 'failed', finished_at = now(), lease_expires_at = null,
           error_code = e->>'code', error_class = e->>'error_class',
           error_message = e->>'message', error_traceback = e->>'traceback'
     where document_uuid = p_document and run = p_run and stage = p_stage and token = p_token
       and state in ('running', 'retrying')
    returning * into s;
    if not found then
        return false;
    end if;
    update public.docpipe_runs set state = 'failed', finished_at = now()
     where document_uuid = p_document and run = p_run;
    delete from public.docpipe_staged where token = s.token;
    perform public.docpipe_set_status(
        p_document, p_run, s.words->>'error', s.words->>'error', e->>'message');
    return true;
end $$;

-- The Celery task died, says its errback: the stage it has not completed fails. An errback may come although
-- the run went on, or late, when another task has taken the stage up: then nothing changes.
create or replace function public.docpipe_fail_task(
    p_document text, p_run integer, p_task_id text, p_error text
) returns boolean
language plpgsql set search_path = '' as $$
declare
    s public.stage_runs;
begin
    perform 1 from public.docpipe_runs where document_uuid = p_document and run = p_run for update;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and task_id = p_task_id
       and state in ('running', 'retrying');
    return found and public.docpipe_fail(p_document, p_run, s.stage, s.token, p_error);
end $$;

-- A running stage stops at its next heartbeat; a waiting one ends here.
create or replace function public.docpipe_cancel(p_document text) returns boolean
language plpgsql set search_path = '' as $$
declare
    r public.docpipe_runs;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and state = 'active' for update;
    if not found then
        return false;
    end if;
    update public.docpipe_runs set cancel_requested = true where document_uuid = p_document and run = r.run;
    if not exists (select 1 from public.stage_runs
                    where document_uuid = p_document and run = r.run
                      and state = 'running' and lease_expires_at > now()) then
        perform public.docpipe_end_cancelled(p_document, r.run);
    end if;
    return true;
end $$;

-- Whether nobody is known to work on the stage: its lease has lapsed, if it had one, and its newest
-- message was sent longer ago than the grace.
create or replace function public.docpipe_idle(
    r public.docpipe_runs, s public.stage_runs, p_grace_seconds double precision
) returns boolean
language sql stable set search_path = '' as $$
    select coalesce(s.queued_at, r.created_at) < now() - make_interval(secs => p_grace_seconds)
       and (s.state <> 'running' or s.lease_expires_at < now());
$$;

-- Runs that may have lost their message or their worker, those that were begun first. Nothing is changed.
create or replace function public.docpipe_stalled(p_grace_seconds double precision, p_limit integer)
returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(found)), '[]') from (
        select r.document_uuid, r.run, s.stage, s.state
          from public.docpipe_runs r
          join lateral (select * from public.stage_runs o
                         where o.document_uuid = r.document_uuid and o.run = r.run and o.state <> 'complete'
                         order by o.position limit 1) s on true
         where r.state = 'active'
           and public.docpipe_idle(r, row(s.*)::public.stage_runs, p_grace_seconds)
         order by s.state = 'queued', r.priority, r.created_at
         limit p_limit) found;
$$;

-- Take one stalled run up again, if it is still stalled: 'resume' (publish the stage), 'cancelled',
-- 'poison' (it was started too often and is quarantined) or 'none' (it moved on by itself).
create or replace function public.docpipe_revive(
    p_document text, p_run integer, p_grace_seconds double precision, p_max_attempts integer, p_task_id text
) returns jsonb
language plpgsql set search_path = '' as $$
declare
    r public.docpipe_runs;
    s public.stage_runs;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run and state = 'active' for update skip locked;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and state <> 'complete'
     order by position limit 1 for update;
    if r.run is null or s.stage is null or not public.docpipe_idle(r, s, p_grace_seconds) then
        return '{"outcome": "none"}';
    end if;
    if r.cancel_requested then
        perform public.docpipe_end_cancelled(p_document, p_run);
        return '{"outcome": "cancelled"}';
    end if;
    if s.attempt >= p_max_attempts then
        update public.stage_runs
           set state = 'failed', finished_at = now(), lease_expires_at = null, error_code = 'poison',
               error_class = 'PoisonDocumentError', error_traceback = '',
               error_message = pg_catalog.format('Stage %s was started %s times and never ended.%s', s.stage,
                   s.attempt, coalesce(' Last error: ' || s.error_message, ''))
         where document_uuid = p_document and run = p_run and stage = s.stage
        returning * into s;
        update public.docpipe_runs set state = 'failed', finished_at = now()
         where document_uuid = p_document and run = p_run;
        delete from public.docpipe_staged where token = s.token;
        perform public.docpipe_set_status(
            p_document, p_run, s.words->>'error', s.words->>'error', s.error_message);
        return '{"outcome": "poison"}';
    end if;
    -- Only the message is renewed. A holder that was cut off from here, and is not dead, may still finish:
    -- it loses the stage to the next claim, not to a suspicion.
    update public.stage_runs set queued_at = now()
     where document_uuid = p_document and run = p_run and stage = s.stage;
    if s.position = 0 and s.state = 'queued' and s.queued_at is null then
        update public.source_documents set celery_task_id = p_task_id
         where document_uuid = p_document and docpipe_run = p_run;
        perform public.docpipe_set_status(p_document, p_run, s.words->>'queued', null, null);
    end if;
    return pg_catalog.jsonb_build_object('outcome', 'resume', 'stage', s.stage, 'priority', r.priority);
end $$;

-- A run that failed or was cancelled goes on from its first incomplete stage, with its attempts counted
-- from zero; null if there is nothing to resume.
create or replace function public.docpipe_resume(p_document text, p_task_id text) returns jsonb
language plpgsql set search_path = '' as $$
declare
    r public.docpipe_runs;
    s public.stage_runs;
begin
    select r2.* into r from public.docpipe_runs r2
      join public.source_documents d on d.document_uuid = r2.document_uuid and d.docpipe_run = r2.run
     where r2.document_uuid = p_document and r2.state in ('failed', 'cancelled') for update of r2;
    if not found then
        return null;
    end if;
    update public.docpipe_runs set state = 'active', cancel_requested = false, finished_at = null
     where document_uuid = p_document and run = r.run;
    update public.stage_runs
       set state = 'queued', attempt = 0, started_at = null, finished_at = null, queued_at = null,
           error_code = null, error_class = null, error_message = null, error_traceback = null
     where document_uuid = p_document and run = r.run and state <> 'complete';
    update public.stage_runs set queued_at = now(), task_id = p_task_id
     where document_uuid = p_document and run = r.run and state = 'queued'
       and position = (select min(position) from public.stage_runs
                        where document_uuid = p_document and run = r.run and state = 'queued')
    returning * into s;
    update public.source_documents set celery_task_id = p_task_id where document_uuid = p_document;
    perform public.docpipe_set_status(p_document, r.run, s.words->>'queued', null, null);
    return pg_catalog.jsonb_build_object('run', r.run, 'stage', s.stage, 'priority', r.priority);
end $$;

-- A new run that keeps the results of the stages before `p_from_stage`; null if the newest run has not
-- completed those. `p_stages` is the plan, as for docpipe_register.
create or replace function public.docpipe_reprocess(p_document text, p_from_stage text, p_stages text)
returns jsonb
language plpgsql set search_path = '' as $$
declare
    d public.source_documents;
    old public.docpipe_runs;
    v_run integer;
    v_from integer;
    v_table text;
    v_columns text;
begin
    select * into d from public.source_documents where document_uuid = p_document for update;
    select (s->>'position')::integer into v_from
      from pg_catalog.jsonb_array_elements(p_stages::jsonb) s where s->>'stage' = p_from_stage;
    select * into old from public.docpipe_runs r
     where r.document_uuid = p_document and not exists (
            select 1 from pg_catalog.jsonb_array_elements(p_stages::jsonb) e
             where (e->>'position')::integer < v_from and not exists (
                    select 1 from public.stage_runs s
                     where s.document_uuid = p_document and s.run = r.run
                       and s.stage = e->>'stage' and s.state = 'complete'))
     order by r.run desc limit 1;
    if d.document_uuid is null or v_from is null or old.run is null then
        return null;
    end if;
    v_run := d.docpipe_run + 1;
    update public.docpipe_runs set state = 'superseded', finished_at = now()
     where document_uuid = p_document and state = 'active';
    insert into public.docpipe_runs (document_uuid, run, source_uri, priority, file_type, text, metadata)
    values (p_document, v_run, old.source_uri, old.priority,
            case when v_from > 0 then old.file_type end, case when v_from > 0 then old.text end,
            case when v_from > 0 then old.metadata else '{}' end);
    insert into public.stage_runs (document_uuid, run, stage, position, queue, words)
    select p_document, v_run, s->>'stage', (s->>'position')::integer, s->>'queue', s->'words'
      from pg_catalog.jsonb_array_elements(p_stages::jsonb) s;
    update public.stage_runs s
       set state = 'complete', makes = o.makes, output = o.output, engine = o.engine, warnings = o.warnings, attempt = o.attempt, task_id = o.task_id, worker = o.worker,
           started_at = o.started_at, finished_at = o.finished_at
      from public.stage_runs o
     where s.document_uuid = p_document and s.run = v_run and s.position < v_from
       and o.document_uuid = p_document and o.run = old.run and o.stage = s.stage;
    for v_table in
        select pg_catalog.jsonb_array_elements_text(s.makes) from public.stage_runs s
         where s.document_uuid = p_document and s.run = v_run and s.state = 'complete'
    loop
        select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') into v_columns
          from pg_catalog.pg_attribute a
         where a.attrelid = ('public.docpipe_' || v_table)::regclass and a.attnum > 0
           and not a.attisdropped and a.attname <> 'run';
        execute pg_catalog.format('insert into public.%1$I (run, %2$s) select $1, %2$s from public.%1$I '
                                  'where document_uuid = $2 and run = $3', 'docpipe_' || v_table, v_columns)
          using v_run, p_document, old.run;
    end loop;
    update public.source_documents set docpipe_run = v_run, celery_task_id = null
     where document_uuid = p_document;
    perform public.docpipe_set_status(p_document, v_run, 'pending', null, null);
    return pg_catalog.jsonb_build_object('run', v_run, 'priority', old.priority);
end $$;

-- The newest documents that match, newest first. `p_selection` is a JSON object; each key it has narrows
-- the choice: status (list), error_code, stage, project_id, engine (its beginning), since, until.
create or replace function public.docpipe_select(p_selection text, p_limit integer) returns jsonb
language sql stable set search_path = '' as $$
    with wanted as (select p_selection::jsonb as w)
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(found)), '[]') from (
        select d.document_uuid, d.docpipe_run as run, d.original_file_name as name, d.celery_status as status,
               d.project_id::text as project_id, d.error_message, s.stage, s.error_code, d.updated_at
          from wanted, public.source_documents d
          left join lateral (select * from public.stage_runs o
                              where o.document_uuid = d.document_uuid and o.run = d.docpipe_run
                                and o.state <> 'complete'
                              order by o.position limit 1) s on true
         where (not w ? 'status' or w->'status' ? d.celery_status::text)
           and (not w ? 'error_code' or s.error_code = w->>'error_code')
           and (not w ? 'stage' or s.stage = w->>'stage')
           and (not w ? 'project_id' or d.project_id::text = w->>'project_id')
           and (not w ? 'engine' or exists (
                    select 1 from public.stage_runs e
                     where e.document_uuid = d.document_uuid and e.run = d.docpipe_run
                       and pg_catalog.starts_with(e.engine, w->>'engine')))
           and (not w ? 'since' or d.updated_at >= (w->>'since')::timestamptz)
           and (not w ? 'until' or d.updated_at < (w->>'until')::timestamptz)
         order by d.id desc
         limit p_limit) found;
$$;

-- Everything there is to know about where a document stands, in one round trip; null: no such document.
create or replace function public.docpipe_status(p_document text) returns jsonb
language sql stable set search_path = '' as $$
    select pg_catalog.jsonb_build_object(
        'document_uuid', d.document_uuid,
        'run', d.docpipe_run,
        'result_run', d.docpipe_result_run,
        'status', d.celery_status,
        'graph_status', n."processingStatus",
        'name', d.original_file_name,
        'project_id', d.project_id::text,
        'task_id', d.celery_task_id,
        'warnings', coalesce((select pg_catalog.jsonb_agg(w order by s.position)
                                from public.stage_runs s, pg_catalog.jsonb_array_elements(s.warnings) w
                               where s.document_uuid = d.document_uuid and s.run = d.docpipe_run), '[]'),
        'stages', coalesce((select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s) order by s.position)
                              from public.stage_runs s
                             where s.document_uuid = d.document_uuid and s.run = d.docpipe_run), '[]'),
        'history', coalesce((select pg_catalog.jsonb_agg(
                                        pg_catalog.jsonb_build_array(h.at, h.status, h.graph_status) order by h.id)
                               from public.docpipe_history h
                              where h.document_uuid = d.document_uuid and h.run = d.docpipe_run), '[]'))
      from public.source_documents d
      left join public.neo4j_documents n on n."sourceDocumentUuid" = d.document_uuid
     where d.document_uuid = p_document;
$$;
