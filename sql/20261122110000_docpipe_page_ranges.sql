-- Long documents are read in ranges of pages, by several workers. A range is a row of the ledger like a stage:
-- claimed with a token and a lease, counted before the work, taken up again when its worker is lost.
--
-- While ranges are open, the stage's own row in stage_runs shows what they do (docpipe_mirror_ranges): `running`
-- while somebody works on one. When none is open any more, the stage is `queued` again, and the attempt that
-- claims it joins what the ranges have read.

create table if not exists public.docpipe_page_ranges (
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
    token bigint,
    lease_expires_at timestamptz,
    output jsonb,                                              -- what was read, as it came: a list of payloads
    queued_at timestamptz,                                     -- null: its message is not due yet
    started_at timestamptz,
    finished_at timestamptz,
    error_code text,
    error_class text,
    error_message text,
    error_traceback text,
    primary key (document_uuid, run, first_page),
    foreign key (document_uuid, run, stage)
        references public.stage_runs (document_uuid, run, stage) on delete cascade
);
create index if not exists docpipe_page_ranges_open_idx on public.docpipe_page_ranges (queued_at)
    where state in ('queued', 'running', 'retrying');

create or replace function public.docpipe_schema_version() returns text
language sql immutable set search_path = public, extensions as $$ select '20261122110000'; $$;

-- --- pieces ------------------------------------------------------------------------------------------

create or replace function public.docpipe_is_open(g public.docpipe_page_ranges) returns boolean
language sql immutable set search_path = public, extensions as $$
    select g.state in ('queued', 'running', 'retrying');
$$;

-- Whether pages of the range are missing from the document, and reading it again may bring them.
create or replace function public.docpipe_is_replayable(g public.docpipe_page_ranges) returns boolean
language sql immutable set search_path = public, extensions as $$
    select g.state = 'failed'
        or coalesce(g.output @> '[{"warnings": [{"code": "page_failed"}]}]', false);
$$;

-- The stage's row while its ranges are open.
create or replace function public.docpipe_mirror_ranges(p_document text, p_run integer, p_stage text)
returns void
language sql set search_path = public, extensions as $$
    update public.stage_runs s
       set state = m.state, lease_expires_at = m.lease_expires_at
      from (select case when bool_or(g.state = 'running') then 'running'
                        when bool_or(g.state = 'retrying') then 'retrying' else 'queued' end as state,
                   max(g.lease_expires_at) filter (where g.state = 'running') as lease_expires_at
              from public.docpipe_page_ranges g where g.document_uuid = p_document and g.run = p_run) m
     where s.document_uuid = p_document and s.run = p_run and s.stage = p_stage
       and s.state in ('queued', 'running', 'retrying');
$$;

-- Which ranges' messages are due now: so many that at most `p_at_once` are under way.
create or replace function public.docpipe_hand_out(p_document text, p_run integer, p_at_once integer)
returns jsonb
language sql set search_path = public, extensions as $$
    with under_way as (
        select count(*) as n from public.docpipe_page_ranges g
         where g.document_uuid = p_document and g.run = p_run
           and public.docpipe_is_open(g) and g.queued_at is not null
    ), due as (
        select g.first_page from public.docpipe_page_ranges g
         where g.document_uuid = p_document and g.run = p_run and g.state = 'queued' and g.queued_at is null
         order by g.first_page limit (select greatest(0, p_at_once - n) from under_way)
    ), marked as (
        update public.docpipe_page_ranges g set queued_at = now() from due
         where g.document_uuid = p_document and g.run = p_run and g.first_page = due.first_page
        returning g.first_page
    )
    select coalesce(pg_catalog.jsonb_agg(first_page order by first_page), '[]') from marked;
$$;

-- What is to be published now: 'first_pages', or, when 'complete', the stage itself, whose pages are all read.
create or replace function public.docpipe_handover(p_document text, p_run integer, p_first_pages jsonb)
returns jsonb
language sql stable set search_path = public, extensions as $$
    select pg_catalog.jsonb_build_object(
        'first_pages', p_first_pages, 'priority', r.priority,
        'complete', not exists (select 1 from public.docpipe_page_ranges g
                                 where g.document_uuid = p_document and g.run = p_run
                                   and public.docpipe_is_open(g))
                    and exists (select 1 from public.docpipe_page_ranges g
                                  join public.stage_runs s using (document_uuid, run, stage)
                                 where g.document_uuid = p_document and g.run = p_run and s.state = 'queued'))
      from public.docpipe_runs r where r.document_uuid = p_document and r.run = p_run;
$$;

-- A range has ended: hand out the next ones, or the stage when it was the last.
create or replace function public.docpipe_close_range(
    p_document text, p_run integer, p_stage text, p_at_once integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_first_pages jsonb := public.docpipe_hand_out(p_document, p_run, p_at_once);
begin
    perform public.docpipe_mirror_ranges(p_document, p_run, p_stage);
    update public.stage_runs set queued_at = now()             -- the reaper's grace begins anew
     where document_uuid = p_document and run = p_run and stage = p_stage;
    return public.docpipe_handover(p_document, p_run, v_first_pages);
end $$;

-- A range is given up. Of several pages, each becomes a range of its own, and only the one to blame is lost.
create or replace function public.docpipe_give_up_range(
    g public.docpipe_page_ranges, e jsonb, p_at_once integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
begin
    delete from public.docpipe_staged where token = g.token;
    update public.docpipe_page_ranges
       set state = case when g.last_page > g.first_page then 'queued' else 'failed' end,
           attempt = case when g.last_page > g.first_page then 0 else attempt end,
           last_page = first_page, lease_expires_at = null, finished_at = now(), queued_at = null,
           error_code = e->>'code', error_class = e->>'error_class',
           error_message = e->>'message', error_traceback = e->>'traceback'
     where document_uuid = g.document_uuid and run = g.run and first_page = g.first_page;
    insert into public.docpipe_page_ranges (document_uuid, run, stage, first_page, last_page)
    select g.document_uuid, g.run, g.stage, n, n from pg_catalog.generate_series(g.first_page + 1, g.last_page) n;
    return public.docpipe_close_range(g.document_uuid, g.run, g.stage, p_at_once);
end $$;

-- --- moves -------------------------------------------------------------------------------------------

-- The attempt found the document too long to be read by one: `p_ranges` is a JSON list of [first, last].
-- Null: the token is old.
create or replace function public.docpipe_split(
    p_document text, p_run integer, p_stage text, p_token bigint, p_ranges text, p_at_once integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    s public.stage_runs;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and stage = p_stage and token = p_token for update;
    if r.state is distinct from 'active' or s.stage is null then
        return null;
    end if;
    if s.state <> 'running' or s.task_id is null then          -- asked for again, the answer was lost
        return public.docpipe_handover(p_document, p_run, (
            select coalesce(pg_catalog.jsonb_agg(g.first_page order by g.first_page), '[]')
              from public.docpipe_page_ranges g
             where g.document_uuid = p_document and g.run = p_run
               and g.state = 'queued' and g.queued_at is not null));
    end if;
    insert into public.docpipe_page_ranges (document_uuid, run, stage, first_page, last_page)
    select p_document, p_run, p_stage, (e->>0)::integer, (e->>1)::integer
      from pg_catalog.jsonb_array_elements(p_ranges::jsonb) e;
    -- no task's any more: an errback of the one that split it means nothing now
    update public.stage_runs set attempt = 0, task_id = null
     where document_uuid = p_document and run = p_run and stage = p_stage;
    return public.docpipe_close_range(p_document, p_run, p_stage, p_at_once);
end $$;

create or replace function public.docpipe_claim_range(
    p_document text, p_run integer, p_first_page integer, p_claim_id text, p_task_id text, p_worker text,
    p_lease_seconds double precision, p_max_attempts integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    g public.docpipe_page_ranges;
    s public.stage_runs;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into g from public.docpipe_page_ranges
     where document_uuid = p_document and run = p_run and first_page = p_first_page for update;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and stage = g.stage;
    if s.stage is null then
        return '{"outcome": "unknown"}';
    end if;
    if g.state in ('complete', 'failed') then
        return '{"outcome": "complete"}';
    end if;
    if r.state = 'active' and r.cancel_requested then
        perform public.docpipe_end_cancelled(p_document, p_run);
        return '{"outcome": "over"}';
    end if;
    if r.state <> 'active' or s.state not in ('queued', 'running', 'retrying') then
        return '{"outcome": "over"}';
    end if;
    if g.state = 'running' and g.claim_id is distinct from p_claim_id and g.lease_expires_at > now() then
        return pg_catalog.jsonb_build_object('outcome', 'busy',
            'lease_seconds', extract(epoch from g.lease_expires_at - now()));
    end if;
    if g.state <> 'running' or g.claim_id is distinct from p_claim_id then
        if g.attempt >= p_max_attempts then
            return pg_catalog.jsonb_build_object('outcome', 'poison', 'attempt', g.attempt, 'token', g.token,
                'last_page', g.last_page);
        end if;
        delete from public.docpipe_staged where token = g.token;
        update public.docpipe_page_ranges
           set state = 'running', attempt = attempt + 1, token = nextval('public.docpipe_token_seq'),
               claim_id = p_claim_id, task_id = p_task_id, worker = p_worker, started_at = now(),
               finished_at = null, queued_at = coalesce(queued_at, now()),
               lease_expires_at = now() + make_interval(secs => p_lease_seconds)
         where document_uuid = p_document and run = p_run and first_page = p_first_page
        returning * into g;
        perform public.docpipe_mirror_ranges(p_document, p_run, g.stage);
        update public.stage_runs set worker = p_worker
         where document_uuid = p_document and run = p_run and stage = g.stage;
        if exists (select 1 from public.source_documents d
                    where d.document_uuid = p_document and d.docpipe_run = p_run
                      and d.celery_status is distinct from s.words->>'processing') then
            perform public.docpipe_set_status(
                p_document, p_run, s.words->>'processing', s.words->>'graph_started', null);
        end if;
    end if;
    return pg_catalog.jsonb_build_object(
        'outcome', 'claimed', 'token', g.token, 'attempt', g.attempt, 'last_page', g.last_page);
end $$;

create or replace function public.docpipe_heartbeat_range(
    p_document text, p_run integer, p_token bigint, p_lease_seconds double precision
) returns text
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    g public.docpipe_page_ranges;
begin
    select * into r from public.docpipe_runs where document_uuid = p_document and run = p_run;
    if r.state is distinct from 'active' then
        return case when r.state = 'cancelled' then 'cancelled' else 'lost' end;
    end if;
    update public.docpipe_page_ranges
       set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
     where document_uuid = p_document and run = p_run and token = p_token and state = 'running'
    returning * into g;
    if not found then
        return 'lost';
    end if;
    update public.stage_runs set lease_expires_at = greatest(lease_expires_at, g.lease_expires_at)
     where document_uuid = p_document and run = p_run and stage = g.stage and state = 'running';
    return case when r.cancel_requested then 'cancelled' else 'ok' end;
end $$;

-- Null: the token is old. Called again with the same token it answers and changes nothing.
create or replace function public.docpipe_finish_range(
    p_document text, p_run integer, p_token bigint, p_output text, p_at_once integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    g public.docpipe_page_ranges;
    v_parts jsonb;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into g from public.docpipe_page_ranges
     where document_uuid = p_document and run = p_run and token = p_token for update;
    if g.state = 'complete' then
        return public.docpipe_handover(p_document, p_run, '[]');
    end if;
    select coalesce(pg_catalog.jsonb_agg(payload order by part), '[]') into v_parts
      from public.docpipe_staged where token = p_token;
    delete from public.docpipe_staged where token = p_token;
    if r.state is distinct from 'active' or g.state is distinct from 'running' then
        return null;
    end if;
    update public.docpipe_page_ranges
       set state = 'complete', finished_at = now(), lease_expires_at = null,
           output = v_parts || p_output::jsonb,
           error_code = null, error_class = null, error_message = null, error_traceback = null
     where document_uuid = p_document and run = p_run and first_page = g.first_page;
    return public.docpipe_close_range(p_document, p_run, g.stage, p_at_once);
end $$;

create or replace function public.docpipe_retry_range(
    p_document text, p_run integer, p_token bigint, p_error text, p_delay_seconds double precision
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    e jsonb := p_error::jsonb;
    g public.docpipe_page_ranges;
begin
    perform 1 from public.docpipe_runs where document_uuid = p_document and run = p_run for update;
    delete from public.docpipe_staged where token = p_token;
    update public.docpipe_page_ranges
       set state = 'retrying', lease_expires_at = null,
           queued_at = now() + make_interval(secs => p_delay_seconds),
           error_code = e->>'code', error_class = e->>'error_class',
           error_message = e->>'message', error_traceback = e->>'traceback'
     where document_uuid = p_document and run = p_run and token = p_token
       and state in ('running', 'retrying')
    returning * into g;
    if not found then
        return false;
    end if;
    perform public.docpipe_mirror_ranges(p_document, p_run, g.stage);
    return true;
end $$;

-- The range failed for good. Null: the token is old.
create or replace function public.docpipe_fail_range(
    p_document text, p_run integer, p_token bigint, p_error text, p_at_once integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    g public.docpipe_page_ranges;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into g from public.docpipe_page_ranges
     where document_uuid = p_document and run = p_run and token = p_token for update;
    if g.state = 'failed' then
        return public.docpipe_handover(p_document, p_run, '[]');
    end if;
    if r.state is distinct from 'active' or g.state is null or g.state not in ('running', 'retrying') then
        return null;
    end if;
    return public.docpipe_give_up_range(g, p_error::jsonb, p_at_once);
end $$;

-- What stopped the range stops the document (its file is gone): the stage fails.
create or replace function public.docpipe_fail_split_stage(
    p_document text, p_run integer, p_token bigint, p_error text
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    g public.docpipe_page_ranges;
begin
    perform 1 from public.docpipe_runs where document_uuid = p_document and run = p_run for update;
    select * into g from public.docpipe_page_ranges
     where document_uuid = p_document and run = p_run and token = p_token and state in ('running', 'retrying');
    if not found then
        return exists (select 1 from public.stage_runs where document_uuid = p_document and run = p_run
                          and token = p_token and state = 'failed');
    end if;
    update public.docpipe_page_ranges set state = 'queued', lease_expires_at = null, queued_at = null
     where document_uuid = p_document and run = p_run and first_page = g.first_page;
    update public.stage_runs set state = 'running', token = p_token
     where document_uuid = p_document and run = p_run and stage = g.stage
       and state in ('queued', 'running', 'retrying');
    return public.docpipe_fail(p_document, p_run, g.stage, p_token, p_error);
end $$;

-- Take a lost range up again, as docpipe_revive does a stage. One that was started too often is given up:
-- that costs its pages, not the document.
create or replace function public.docpipe_revive_range(
    p_document text, p_run integer, p_first_page integer, p_grace_seconds double precision,
    p_max_attempts integer, p_at_once integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    g public.docpipe_page_ranges;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run and state = 'active' for update skip locked;
    select * into g from public.docpipe_page_ranges
     where document_uuid = p_document and run = p_run and first_page = p_first_page for update;
    if r.run is null or g.run is null or not public.docpipe_range_idle(g, p_grace_seconds) then
        return '{"outcome": "none"}';
    end if;
    if r.cancel_requested then
        perform public.docpipe_end_cancelled(p_document, p_run);
        return '{"outcome": "cancelled"}';
    end if;
    if g.attempt >= p_max_attempts then
        return '{"outcome": "resume"}'::jsonb || public.docpipe_give_up_range(g, pg_catalog.jsonb_build_object(
            'code', 'poison', 'error_class', 'PoisonDocumentError', 'traceback', '',
            'message', pg_catalog.format('Pages %s to %s were begun %s times and never ended.%s', g.first_page,
                g.last_page, g.attempt, coalesce(' Last error: ' || g.error_message, ''))), p_at_once);
    end if;
    update public.docpipe_page_ranges set queued_at = now()
     where document_uuid = p_document and run = p_run and first_page = p_first_page;
    return pg_catalog.jsonb_build_object('outcome', 'resume', 'priority', r.priority,
        'first_pages', pg_catalog.jsonb_build_array(p_first_page));
end $$;

create or replace function public.docpipe_range_idle(
    g public.docpipe_page_ranges, p_grace_seconds double precision
) returns boolean
language sql stable set search_path = public, extensions as $$
    select coalesce(
        g.state in ('queued', 'running', 'retrying')
        and g.queued_at < now() - make_interval(secs => p_grace_seconds)
        and (g.state <> 'running' or g.lease_expires_at < now()), false);
$$;

-- docpipe_resume for runs that may have ranges: those that were read stay, the others are due again.
create or replace function public.docpipe_resume_run(p_document text, p_task_id text, p_at_once integer)
returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_resumed jsonb := public.docpipe_resume(p_document, p_task_id);
    v_run integer := (v_resumed->>'run')::integer;
begin
    if v_resumed is null then
        return null;
    end if;
    update public.docpipe_page_ranges
       set state = 'queued', attempt = 0, queued_at = null, started_at = null, finished_at = null,
           lease_expires_at = null
     where document_uuid = p_document and run = v_run and stage = v_resumed->>'stage' and state <> 'complete';
    return v_resumed || pg_catalog.jsonb_build_object(
        'first_pages', public.docpipe_hand_out(p_document, v_run, p_at_once));
end $$;

-- A new run that reads again what the newest, completed run could not read; null if it has no such ranges.
create or replace function public.docpipe_replay(p_document text, p_stages text, p_at_once integer) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    v_stage text;
    v_begun jsonb;
    v_run integer;
begin
    select o.* into r from public.docpipe_runs o
      join public.source_documents d on d.document_uuid = o.document_uuid and d.docpipe_run = o.run
     where o.document_uuid = p_document and o.state = 'completed' for update of o;
    select g.stage into v_stage from public.docpipe_page_ranges g
     where g.document_uuid = p_document and g.run = r.run and public.docpipe_is_replayable(g) limit 1;
    if v_stage is null then
        return null;
    end if;
    v_begun := public.docpipe_reprocess(p_document, v_stage, p_stages);
    v_run := (v_begun->>'run')::integer;
    if v_run is null then
        return null;
    end if;
    update public.docpipe_page_ranges g
       set run = v_run,
           state = case when public.docpipe_is_replayable(g) then 'queued' else 'complete' end,
           output = case when public.docpipe_is_replayable(g) then null else output end,
           attempt = case when public.docpipe_is_replayable(g) then 0 else attempt end,
           queued_at = case when public.docpipe_is_replayable(g) then null else queued_at end,
           finished_at = case when public.docpipe_is_replayable(g) then null else finished_at end
     where g.document_uuid = p_document and g.run = r.run;
    return v_begun || pg_catalog.jsonb_build_object(
        'stage', v_stage, 'first_pages', public.docpipe_hand_out(p_document, v_run, p_at_once));
end $$;

-- docpipe_finish, after which the ranges have served: they stay only where pages failed, to be read again.
create or replace function public.docpipe_finish_stage(
    p_document text, p_run integer, p_stage text, p_token bigint, p_output text
) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    if not public.docpipe_finish(p_document, p_run, p_stage, p_token, p_output) then
        return false;
    end if;
    delete from public.docpipe_page_ranges
     where document_uuid = p_document and stage = p_stage
       and (run < p_run or run = p_run and not exists (
            select 1 from public.docpipe_page_ranges g
             where g.document_uuid = p_document and g.run = p_run and public.docpipe_is_replayable(g)));
    return true;
end $$;

-- --- moves that know ranges now ----------------------------------------------------------------------

-- As before, and: a stage with open ranges is not ready; 'joins' says that they have read its pages.
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
    if v_joins and exists (select 1 from public.docpipe_page_ranges g
                            where g.document_uuid = p_document and g.run = p_run and g.stage = p_stage
                              and public.docpipe_is_open(g)) then
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
    if s.attempt >= p_max_attempts then
        return '{"outcome": "poison"}'::jsonb
            || pg_catalog.jsonb_build_object('attempt', s.attempt, 'token', s.token);
    end if;
    delete from public.docpipe_staged where token = s.token;
    update public.stage_runs
       set state = 'running', attempt = attempt + 1, token = nextval('public.docpipe_token_seq'),
           claim_id = p_claim_id, task_id = p_task_id, worker = p_worker,
           started_at = case when v_joins then coalesce(started_at, now()) else now() end,
           lease_expires_at = now() + make_interval(secs => p_lease_seconds)
     where document_uuid = p_document and run = p_run and stage = p_stage
    returning * into s;
    if not (v_joins and exists (select 1 from public.source_documents d
                                 where d.document_uuid = p_document and d.docpipe_run = p_run
                                   and d.celery_status = s.words->>'processing')) then
        perform public.docpipe_set_status(
            p_document, p_run, s.words->>'processing', s.words->>'graph_started', null);
    end if;
    return pg_catalog.jsonb_build_object(
        'outcome', 'claimed', 'token', s.token, 'attempt', s.attempt, 'joins', v_joins);
end $$;

create or replace function public.docpipe_end_cancelled(p_document text, p_run integer) returns void
language plpgsql set search_path = public, extensions as $$
begin
    update public.docpipe_page_ranges g set state = 'cancelled', finished_at = now(), lease_expires_at = null
     where g.document_uuid = p_document and g.run = p_run and public.docpipe_is_open(g);
    update public.stage_runs set state = 'cancelled', finished_at = now(), lease_expires_at = null
     where document_uuid = p_document and run = p_run and state in ('queued', 'running', 'retrying');
    update public.docpipe_runs set state = 'cancelled', finished_at = now()
     where document_uuid = p_document and run = p_run;
    perform public.docpipe_set_status(p_document, p_run, 'cancelled', 'cancelled', null);
end $$;

-- As before, and: a stage with open ranges is theirs.
create or replace function public.docpipe_idle(
    r public.docpipe_runs, s public.stage_runs, p_grace_seconds double precision
) returns boolean
language sql stable set search_path = public, extensions as $$
    select coalesce(s.queued_at, r.created_at) < now() - make_interval(secs => p_grace_seconds)
       and (s.state <> 'running' or s.lease_expires_at < now())
       and not exists (select 1 from public.docpipe_page_ranges g
                        where g.document_uuid = s.document_uuid and g.run = s.run and g.stage = s.stage
                          and public.docpipe_is_open(g));
$$;

-- As before, and: lost ranges, each with its first page.
create or replace function public.docpipe_stalled(p_grace_seconds double precision, p_limit integer)
returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(found) - 'priority' - 'created_at'), '[]') from (
        select * from (
            select r.document_uuid, r.run, s.stage, s.state, null::integer as first_page,
                   r.priority, r.created_at
              from public.docpipe_runs r
              join lateral (select * from public.stage_runs o
                             where o.document_uuid = r.document_uuid and o.run = r.run
                               and o.state <> 'complete'
                             order by o.position limit 1) s on true
             where r.state = 'active'
               and public.docpipe_idle(r, row(s.*)::public.stage_runs, p_grace_seconds)
            union all
            select r.document_uuid, r.run, g.stage, g.state, g.first_page, r.priority, r.created_at
              from public.docpipe_page_ranges g join public.docpipe_runs r using (document_uuid, run)
             where r.state = 'active' and g.state in ('queued', 'running', 'retrying')
               and public.docpipe_range_idle(g, p_grace_seconds)) every_one
         order by state = 'queued', priority, created_at, first_page
         limit p_limit) found;
$$;

do $$
declare
    v_function text;
    v_role text;
begin
    alter table public.docpipe_page_ranges enable row level security;
    if exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role') then
        grant select, insert, update, delete on public.docpipe_page_ranges to service_role;
        if not exists (select 1 from pg_catalog.pg_policies
                        where schemaname = 'public' and tablename = 'docpipe_page_ranges'
                          and policyname = 'docpipe_service_role') then
            create policy docpipe_service_role on public.docpipe_page_ranges
                to service_role using (true) with check (true);
        end if;
    end if;
    for v_function in
        select p.oid::regprocedure::text from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\_%'
    loop
        execute format('revoke all on function %s from public', v_function);
        for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke all on function %s from %I', v_function, v_role);
        end loop;
        if exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role') then
            execute format('grant execute on function %s to service_role', v_function);
        end if;
    end loop;
end $$;
