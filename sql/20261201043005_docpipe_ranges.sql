-- The ledger of page ranges: long documents are read in ranges of pages, by several workers. A range is a row
-- like a stage's: claimed with a token and a lease, counted before the work, resumed when its worker is lost.
--
-- While ranges are open, the stage's own row in stage_runs shows what they do (docpipe_mirror_ranges): `running`
-- while somebody works on one. When none is open any more, the stage is `queued` again, and the attempt that
-- claims it joins what the ranges have read.

-- Whether a range is still to be read.
-- Rule: in_ranges.
create or replace function public.docpipe_is_open(g public.docpipe_page_ranges) returns boolean
language sql immutable set search_path = public, extensions as $$
    select g.state in ('queued', 'running', 'retrying');
$$;

-- Whether a range of the stage is still to be read: then nobody holds the stage, its row mirrors its ranges.
-- Rule: in_ranges.
create or replace function public.docpipe_in_ranges(p_document text, p_run integer, p_stage text)
returns boolean
language sql stable set search_path = public, extensions as $$
    select exists (select 1 from public.docpipe_page_ranges g
                    where g.document_uuid = p_document and g.run = p_run and g.stage = p_stage
                      and public.docpipe_is_open(g));
$$;

-- Whether pages of the range are missing from the document, and reading it again may bring them.
-- Rule: is_replayable.
create or replace function public.docpipe_is_replayable(g public.docpipe_page_ranges) returns boolean
language sql immutable set search_path = public, extensions as $$
    select g.state = 'failed'
        or coalesce(g.output @> '[{"warnings": [{"code": "page_failed"}]}]', false);
$$;

-- Shows in the stage's own row what its open ranges do.
-- Rule: mirror.
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

-- Marks the ranges whose messages are due now: so many that at most `p_at_once` are under way.
-- Rule: hand_out.
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
-- Rule: is_read.
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

-- Goes on after a range has ended: hands out the next ones, or the stage when it was the last.
-- Rule: hand_out, mirror, is_read.
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

-- Gives a range up: of several pages each becomes a range of its own, so that only the one to blame is lost.
-- Rule: give_up.
create or replace function public.docpipe_give_up_range(
    g public.docpipe_page_ranges, e jsonb, p_at_once integer
) returns jsonb
language plpgsql set search_path = public, extensions as $$
begin
    delete from public.docpipe_staged where token = g.token;
    perform public.docpipe_fail_attempt(g.token, g.lease_expires_at, e);
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

-- Splits a stage whose document is too long for one attempt; null: the token is old.
-- `p_ranges` is a JSON list of [first, last].
-- Rule: split.
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
    if s.task_id is null then                                  -- asked for again, the answer was lost
        return public.docpipe_handover(p_document, p_run, (
            select coalesce(pg_catalog.jsonb_agg(g.first_page order by g.first_page), '[]')
              from public.docpipe_page_ranges g
             where g.document_uuid = p_document and g.run = p_run
               and g.state = 'queued' and g.queued_at is not null));
    end if;
    if s.state <> 'running' or public.docpipe_in_ranges(p_document, p_run, p_stage) then
        return null;
    end if;
    insert into public.docpipe_page_ranges (document_uuid, run, stage, first_page, last_page)
    select p_document, p_run, p_stage, (e->>0)::integer, (e->>1)::integer
      from pg_catalog.jsonb_array_elements(p_ranges::jsonb) e;
    perform public.docpipe_end_attempt(p_token, 'split', null);
    -- no task's any more: an errback of the one that split it means nothing now
    update public.stage_runs set attempt = 0, task_id = null
     where document_uuid = p_document and run = p_run and stage = p_stage;
    return public.docpipe_close_range(p_document, p_run, p_stage, p_at_once);
end $$;

-- Claims a range, as docpipe_claim does a stage.
-- Rule: claim_range, is_leased, is_paused.
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
        if public.docpipe_is_paused(p_document, g.stage) then
            update public.docpipe_page_ranges set state = 'queued', queued_at = null, lease_expires_at = null
             where document_uuid = p_document and run = p_run and first_page = p_first_page;
            perform public.docpipe_mirror_ranges(p_document, p_run, g.stage);
            return public.docpipe_hold(p_document, p_run);
        end if;
        if g.attempt >= p_max_attempts then
            return pg_catalog.jsonb_build_object('outcome', 'poison', 'attempt', g.attempt, 'token', g.token,
                'last_page', g.last_page);
        end if;
        delete from public.docpipe_staged where token = g.token;
        perform public.docpipe_lose_attempt(g.token, g.lease_expires_at);
        update public.docpipe_page_ranges
           set state = 'running', attempt = attempt + 1, token = nextval('public.docpipe_token_seq'),
               claim_id = p_claim_id, task_id = p_task_id, worker = p_worker, started_at = now(),
               finished_at = null, queued_at = coalesce(queued_at, now()),
               lease_expires_at = now() + make_interval(secs => p_lease_seconds)
         where document_uuid = p_document and run = p_run and first_page = p_first_page
        returning * into g;
        perform public.docpipe_begin_attempt(
            p_document, p_run, g.stage, g.first_page, g.last_page, g.attempt, g.token, p_task_id, p_worker);
        perform public.docpipe_mirror_ranges(p_document, p_run, g.stage);
        update public.stage_runs set worker = p_worker, waits_since = null
         where document_uuid = p_document and run = p_run and stage = g.stage;
        if not public.docpipe_show(s, p_task_id, 'processing', s.words->>'graph_started', true) then
            return '{"outcome": "over"}';
        end if;
    end if;
    return pg_catalog.jsonb_build_object(
        'outcome', 'claimed', 'token', g.token, 'attempt', g.attempt, 'last_page', g.last_page);
end $$;

-- Extends a range's lease and its stage's, and answers as docpipe_heartbeat.
-- Rule: heartbeat, mirror.
create or replace function public.docpipe_heartbeat_range(
    p_document text, p_run integer, p_token bigint, p_lease_seconds double precision
) returns text
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    g public.docpipe_page_ranges;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into g from public.docpipe_page_ranges
     where document_uuid = p_document and run = p_run and token = p_token;
    if g.token is null then
        return 'lost';
    end if;
    if r.state is distinct from 'active' then
        return case when r.state = 'cancelled' then 'cancelled' else 'lost' end;
    end if;
    if g.state <> 'running' then
        return 'lost';
    end if;
    update public.docpipe_page_ranges
       set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
     where document_uuid = p_document and run = p_run and token = p_token;
    perform public.docpipe_mirror_ranges(p_document, p_run, g.stage);
    return case when r.cancel_requested then 'cancelled' else 'ok' end;
end $$;

-- Completes a range with what was read; null: the token is old.
-- Called again with the same token it answers and changes nothing.
-- Rule: finish.
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
    perform public.docpipe_end_attempt(p_token, 'complete', null);
    return public.docpipe_close_range(p_document, p_run, g.stage, p_at_once);
end $$;

-- Records that an attempt at a range failed and another will follow, as docpipe_retry.
-- Rule: retry, mirror.
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
       and exists (select 1 from public.docpipe_runs r
                    where r.document_uuid = p_document and r.run = p_run and r.state = 'active')
    returning * into g;
    if not found then
        return false;
    end if;
    perform public.docpipe_end_attempt(p_token, 'retried', e);
    perform public.docpipe_mirror_ranges(p_document, p_run, g.stage);
    return true;
end $$;

-- Fails a range for good; null: the token is old.
-- Rule: fail, give_up.
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

-- Fails the stage of a range, for what stopped the range stops the document (its file is gone).
-- Rule: fail_stage.
create or replace function public.docpipe_fail_split_stage(
    p_document text, p_run integer, p_token bigint, p_error text
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    r public.docpipe_runs;
    g public.docpipe_page_ranges;
    s public.stage_runs;
begin
    select * into r from public.docpipe_runs
     where document_uuid = p_document and run = p_run for update;
    select * into g from public.docpipe_page_ranges
     where document_uuid = p_document and run = p_run and token = p_token;
    select * into s from public.stage_runs
     where document_uuid = p_document and run = p_run and stage = g.stage for update;
    if s.state = 'failed' and s.token = p_token then
        return true;
    end if;
    if r.state is distinct from 'active' or g.state is null or g.state not in ('running', 'retrying') then
        return false;
    end if;
    update public.docpipe_page_ranges set state = 'queued', lease_expires_at = null, queued_at = null
     where document_uuid = p_document and run = p_run and first_page = g.first_page;
    s.token := p_token;
    perform public.docpipe_end_failed(s, p_error::jsonb);
    return true;
end $$;
