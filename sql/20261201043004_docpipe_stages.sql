-- The ledger of stages: queued, claimed, kept alive, retried, failed. A stage is completed with its results.

-- Marks a stage as queued, just before its message is published; false: the stage has moved on already.
-- False, too, where documents in flight are limited and the run was not let in: it waits for its share.
-- Rule: publish, must_wait.
create or replace function public.docpipe_queue(
    p_document text, p_run integer, p_stage text, p_task_id text
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    s public.stage_runs;
begin
    perform 1 from public.docpipe_runs
     where document_uuid = p_document and run = p_run and state = 'active' for update;
    if not found or public.docpipe_must_wait(p_document, p_run, p_stage) then
        return false;
    end if;
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

-- Records that the message could not be published: the row says so, and the reaper publishes it later.
-- Rule: publish.
create or replace function public.docpipe_publish_failed(
    p_document text, p_run integer, p_stage text, p_message text
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    s public.stage_runs;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run and state = 'active' for update;
    if not found then
        return false;
    end if;
    -- of a later stage it is due at once: as old as its run, to whoever looks for messages that are lost
    update public.stage_runs set queued_at = case when position > 0 then r.created_at end
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

-- Claims a stage: one answer says whether the caller may work on it, and with which token.
-- `p_claim_id` makes the call repeatable: the same claim asked for again, because its answer was lost on the
-- way, is the same claim and not a rival. A stage with open ranges is not ready; 'joins' says that they have
-- read its pages.
-- Rule: claim, is_leased, is_paused.
create or replace function public.docpipe_claim(
    p_document text, p_run integer, p_stage text, p_claim_id text, p_task_id text, p_worker text,
    p_lease_seconds double precision, p_max_attempts integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    s public.stage_runs;
    v_joins boolean;
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
    select count(*) > 0 into v_joins from public.docpipe_page_ranges g
     where g.document_uuid = p_document and g.run = p_run and g.stage = p_stage;
    if public.docpipe_in_ranges(p_document, p_run, p_stage) then
        return '{"outcome": "not_ready"}';
    end if;
    if s.state = 'running' and s.claim_id = p_claim_id then
        return pg_catalog.jsonb_build_object(
            'outcome', 'claimed', 'token', s.token, 'attempt', s.attempt, 'joins', v_joins);
    end if;
    if s.state = 'running' and s.lease_expires_at > now() then
        return pg_catalog.jsonb_build_object('outcome', 'busy',
            'lease_seconds', extract(epoch from s.lease_expires_at - now()));
    end if;
    if public.docpipe_is_paused(p_document, p_stage) then
        return public.docpipe_hold(p_document, p_run);
    end if;
    if s.attempt >= p_max_attempts then
        return '{"outcome": "poison"}'::jsonb
            || pg_catalog.jsonb_build_object('attempt', s.attempt, 'token', s.token);
    end if;
    delete from public.docpipe_staged where token = s.token;
    perform public.docpipe_lose_attempt(s.token, s.lease_expires_at);
    update public.stage_runs
       set state = 'running', attempt = attempt + 1, token = nextval('public.docpipe_token_seq'),
           claim_id = p_claim_id, task_id = p_task_id, worker = p_worker,
           started_at = case when v_joins then coalesce(started_at, now()) else now() end, waits_since = null,
           lease_expires_at = now() + make_interval(secs => p_lease_seconds)
     where document_uuid = p_document and run = p_run and stage = p_stage
    returning * into s;
    update public.docpipe_runs set held_at = null
     where document_uuid = p_document and run = p_run and held_at is not null;
    perform public.docpipe_begin_attempt(
        p_document, p_run, p_stage, null, null, s.attempt, s.token, p_task_id, p_worker);
    if not public.docpipe_show(s, p_task_id, 'processing', s.words->>'graph_started', v_joins) then
        return '{"outcome": "over"}';
    end if;
    return pg_catalog.jsonb_build_object(
        'outcome', 'claimed', 'token', s.token, 'attempt', s.attempt, 'joins', v_joins);
end $$;

-- Shows in the document's own row which task has a stage, and its status; `p_once`: unless it is that already.
-- False: the database refuses it, and would do so each time: the run has failed with its words.
-- Rule: fail.
create or replace function public.docpipe_show(
    s public.stage_runs, p_task_id text, p_word text, p_graph_status text, p_once boolean
) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    update public.source_documents set celery_task_id = nullif(p_task_id, '')
     where document_uuid = s.document_uuid and docpipe_run = s.run;
    if not (p_once and exists (select 1 from public.source_documents d
                                where d.document_uuid = s.document_uuid
                                  and (d.docpipe_run <> s.run or d.celery_status = s.words->>p_word))) then
        perform public.docpipe_set_status(s.document_uuid, s.run, s.words->>p_word, p_graph_status, null);
    end if;
    return true;
exception when others then
    if public.docpipe_refusal(sqlstate, sqlerrm) is null then
        raise;
    end if;
    perform public.docpipe_end_failed(s, public.docpipe_refusal(sqlstate, sqlerrm));
    return false;
end $$;

-- docpipe_claim, and with it what the stage works on: `input`, as docpipe_input gives it.
-- Rule: claim.
create or replace function public.docpipe_claim_with_input(
    p_document text, p_run integer, p_stage text, p_claim_id text, p_task_id text, p_worker text,
    p_lease_seconds double precision, p_max_attempts integer, p_needs text
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_claim jsonb := public.docpipe_claim(
        p_document, p_run, p_stage, p_claim_id, p_task_id, p_worker, p_lease_seconds, p_max_attempts);
begin
    if v_claim->>'outcome' <> 'claimed' then
        return v_claim;
    end if;
    return v_claim || pg_catalog.jsonb_build_object('input', public.docpipe_input(p_document, p_run, p_needs));
end $$;

-- Extends the lease: 'ok'; 'cancelled': stop, someone asked for it; 'lost': another claim took over.
-- Rule: heartbeat.
create or replace function public.docpipe_heartbeat(
    p_document text, p_run integer, p_stage text, p_token bigint, p_lease_seconds double precision
) returns text
language plpgsql set search_path = public, extensions as $$
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
       and state = 'running' and token = p_token
       and not public.docpipe_in_ranges(p_document, p_run, p_stage);
    if not found then
        return 'lost';
    end if;
    return case when r.cancel_requested then 'cancelled' else 'ok' end;
end $$;

-- Records that the attempt failed and another will follow: the status stays *_processing, the ledger says why.
-- Rule: retry.
create or replace function public.docpipe_retry(
    p_document text, p_run integer, p_stage text, p_token bigint, p_error text, p_delay_seconds double precision
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    e jsonb := p_error::jsonb;
    v_mine boolean;
begin
    perform 1 from public.docpipe_runs where document_uuid = p_document and run = p_run for update;
    update public.stage_runs
       set state = 'retrying', lease_expires_at = null,
           queued_at = now() + make_interval(secs => p_delay_seconds),
           error_code = e->>'code', error_class = e->>'error_class',
           error_message = e->>'message', error_traceback = e->>'traceback'
     where document_uuid = p_document and run = p_run and stage = p_stage
       and state in ('running', 'retrying') and token = p_token
       and not public.docpipe_in_ranges(p_document, p_run, p_stage)
       and exists (select 1 from public.docpipe_runs r
                    where r.document_uuid = p_document and r.run = p_run and r.state = 'active');
    v_mine := found;
    if v_mine then
        perform public.docpipe_end_attempt(p_token, 'retried', e);
    end if;
    delete from public.docpipe_staged where token = p_token;
    return v_mine;
end $$;

-- Fails a stage, and its run, for good; false: the token is old.
-- Rule: fail.
create or replace function public.docpipe_fail(
    p_document text, p_run integer, p_stage text, p_token bigint, p_error text
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    s public.stage_runs;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and stage = p_stage and token = p_token for update;
    if s.state = 'failed' then
        return true;
    end if;
    if r.state is distinct from 'active' or s.stage is null or s.state not in ('running', 'retrying')
       or public.docpipe_in_ranges(p_document, p_run, p_stage) then
        return false;
    end if;
    perform public.docpipe_end_failed(s, p_error::jsonb);
    return true;
end $$;

-- Ends a run whose stage has failed, with the stage.
-- Rule: fail.
create or replace function public.docpipe_end_failed(s public.stage_runs, e jsonb) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_refused text;
begin
    update public.stage_runs
       set state = 'failed', finished_at = now(), lease_expires_at = null, token = s.token,
           error_code = e->>'code', error_class = e->>'error_class',
           error_message = e->>'message', error_traceback = e->>'traceback'
     where document_uuid = s.document_uuid and run = s.run and stage = s.stage;
    update public.docpipe_runs set state = 'failed', finished_at = now()
     where document_uuid = s.document_uuid and run = s.run;
    delete from public.docpipe_staged where token = s.token;
    perform public.docpipe_fail_attempt(s.token, s.lease_expires_at, e);
    perform public.docpipe_stop_attempts(s.document_uuid, 'stopped');
    v_refused := public.docpipe_set_end(
        s.document_uuid, s.run, s.words->>'error', s.words->>'error', e->>'message');
    if v_refused is not null then
        update public.stage_runs set error_message = error_message || ' ' || v_refused
         where document_uuid = s.document_uuid and run = s.run and stage = s.stage;
    end if;
end $$;

-- Fails the stage of a Celery task that died, as its errback says.
-- An errback may come although the run went on, or late, when another task holds the stage: then nothing
-- changes.
-- Rule: fail_task.
create or replace function public.docpipe_fail_task(
    p_document text, p_run integer, p_task_id text, p_error text
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    s public.stage_runs;
begin
    perform 1 from public.docpipe_runs where document_uuid = p_document and run = p_run for update;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and task_id = p_task_id
       and state in ('running', 'retrying');
    return found and public.docpipe_fail(p_document, p_run, s.stage, s.token, p_error);
end $$;
