-- What was lost: stages and ranges that nobody works on are found, and resumed or ended.

-- Whether nobody is known to work on a stage: its lease, if it had one, has lapsed, and its message is old.
-- Its newest message was sent longer ago than the grace. A stage with open ranges is theirs; a run that is held has none.
-- Rule: is_stalled.
create or replace function public.docpipe_idle(
    r public.docpipe_runs, s public.stage_runs, p_grace_seconds double precision
) returns boolean
language sql stable set search_path = public, extensions as $$
    select r.held_at is null
       and coalesce(s.queued_at, r.created_at) < now() - make_interval(secs => p_grace_seconds)
       and (s.state <> 'running' or s.lease_expires_at <= now())
       and not public.docpipe_in_ranges(s.document_uuid, s.run, s.stage);
$$;

-- Whether nobody is known to work on a range, as docpipe_idle has it of a stage.
-- Rule: is_stalled.
create or replace function public.docpipe_range_idle(
    g public.docpipe_page_ranges, p_grace_seconds double precision
) returns boolean
language sql stable set search_path = public, extensions as $$
    select coalesce(
        g.state in ('queued', 'running', 'retrying')
        and g.queued_at < now() - make_interval(secs => p_grace_seconds)
        and (g.state <> 'running' or g.lease_expires_at <= now()), false);
$$;

drop function if exists public.docpipe_stalled(double precision, integer);  -- docpipe_lost answers it

-- When the oldest message of one of the broker's lists was sent, as `p_look` has seen it; null: nobody can say.
-- A list that was seen whole is as one whose oldest message is sent just now. The oldest of the others is the first of
-- those read that is the newest of its document, for that is the one of which the ledger knows when it was sent.
-- Rule: sent_at.
create or replace function public.docpipe_oldest(p_look jsonb) returns timestamptz
language sql stable set search_path = public, extensions as $$
    select case when (p_look->>'whole')::boolean then now() else (
        select case s.state when 'queued' then s.queued_at else a.ended_at end
          from pg_catalog.jsonb_array_elements(p_look->'oldest') with ordinality o (message, place)
          join public.source_documents d on d.document_uuid = o.message->>0
          join public.stage_runs s on s.document_uuid = d.document_uuid and s.run = d.docpipe_run
          left join public.docpipe_attempts a on a.token = s.token
         where (o.message->>1)::integer = s.run and o.message->>2 is null
           and o.message->>3 in (d.celery_task_id, pg_catalog.split_part(d.celery_task_id, '.', 1) || '.' || s.stage)
           and s.queue = p_look->>'queue' and s.queued_at is not null
           and (s.state = 'queued' or s.state = 'retrying' and a.ended_at is not null)
           and not public.docpipe_in_ranges(s.document_uuid, s.run, s.stage)
         order by o.place limit 1) end;
$$;

-- Runs and ranges that have lost their message or their worker, oldest first; nothing is changed.
-- `p_looks` is a list of objects, one for each list of the broker: queue, priorities, whole, and oldest, which holds
-- [document, run, first page or null, task id]. Reads what was queued before the oldest messages, and none that follow.
-- Rule: is_lost.
create or replace function public.docpipe_lost(p_grace_seconds double precision, p_looks text, p_limit integer)
returns jsonb
language sql stable set search_path = public, extensions as $$
    with looks as materialized (
        select l->>'queue' as queue, l->'oldest' as oldest, l->'priorities' as priorities,
               public.docpipe_oldest(l) - make_interval(secs => p_grace_seconds) as sent_before
          from pg_catalog.jsonb_array_elements(p_looks::jsonb) l
    ), found as (                                              -- silent, and no message was sent since
        select s.document_uuid, s.run, s.stage, s.state, null::integer as first_page, r.priority, r.created_at
          from public.stage_runs s join public.docpipe_runs r using (document_uuid, run)
         where s.state = 'running' and s.lease_expires_at <= now() and r.state = 'active'
           and coalesce(s.queued_at, r.created_at) <= s.lease_expires_at
           and public.docpipe_idle(r, s, p_grace_seconds)
        union all
        select g.document_uuid, g.run, g.stage, g.state, g.first_page, r.priority, r.created_at
          from public.docpipe_page_ranges g join public.docpipe_runs r using (document_uuid, run)
         where g.state = 'running' and g.lease_expires_at <= now() and r.state = 'active' and r.held_at is null
           and g.queued_at <= g.lease_expires_at
           and public.docpipe_range_idle(g, p_grace_seconds)
        union all                                              -- no message of it was ever sent
        select s.document_uuid, s.run, s.stage, s.state, null, r.priority, r.created_at
          from public.source_documents d
          join public.docpipe_runs r on r.document_uuid = d.document_uuid and r.run = d.docpipe_run
          join lateral (select * from public.stage_runs o
                         where o.document_uuid = r.document_uuid and o.run = r.run and o.state <> 'complete'
                         order by o.position limit 1) s on true
         where d.celery_status = 'pending' and r.state = 'active' and s.queued_at is null
           and public.docpipe_idle(r, row(s.*)::public.stage_runs, p_grace_seconds)
        union all
        select w.* from looks l cross join lateral pg_catalog.jsonb_array_elements(l.priorities) p
         cross join lateral (                                  -- so that the index is asked, and no more than that
            select s.document_uuid, s.run, s.stage, s.state, null::integer, r.priority, r.created_at
              from (select o.* from public.stage_runs o
                     where o.queue = l.queue and o.priority = p.value::smallint and o.queued_at < l.sent_before
                       and o.state in ('queued', 'running', 'retrying')
                       and (o.state <> 'running' or o.lease_expires_at < o.queued_at)
                     order by o.queued_at offset 0) s
              join public.docpipe_runs r using (document_uuid, run)
             where r.state = 'active' and r.held_at is null
               and not public.docpipe_in_ranges(s.document_uuid, s.run, s.stage)
               and not exists (select 1 from pg_catalog.jsonb_array_elements(l.oldest) o
                                where o->>0 = s.document_uuid and (o->>1)::integer = s.run and o->>2 is null)
             order by s.queued_at limit p_limit) w
        union all
        select w.* from looks l cross join lateral (
            select g.document_uuid, g.run, g.stage, g.state, g.first_page, r.priority, r.created_at
              from public.docpipe_page_ranges g
              join public.stage_runs s on s.document_uuid = g.document_uuid and s.run = g.run and s.stage = g.stage
              join public.docpipe_runs r on r.document_uuid = g.document_uuid and r.run = g.run
             where s.queue = l.queue and g.queued_at < l.sent_before and g.state in ('queued', 'running', 'retrying')
               and (g.state <> 'running' or g.lease_expires_at < g.queued_at)
               and r.state = 'active' and r.held_at is null and l.priorities @> pg_catalog.to_jsonb(r.priority)
               and not exists (select 1 from pg_catalog.jsonb_array_elements(l.oldest) o
                                where o->>0 = g.document_uuid and (o->>1)::integer = g.run
                                  and (o->>2)::integer = g.first_page)
             order by g.queued_at limit p_limit) w
    )
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f) - 'priority' - 'created_at'), '[]') from (
        select * from found order by state <> 'running', priority, created_at, first_page limit p_limit) f;
$$;

-- The error of a stage or a range that was begun too often.
-- Rule: poison.
create or replace function public.docpipe_poison(p_begun text, p_attempts integer, p_last_error text)
returns jsonb
language sql immutable set search_path = public, extensions as $$
    select pg_catalog.jsonb_build_object(
        'code', 'poison', 'error_class', 'PoisonDocumentError', 'traceback', '',
        'message', pg_catalog.format('%s %s times and never ended.%s', p_begun, p_attempts,
                                     coalesce(' Last error: ' || p_last_error, '')));
$$;

-- Resumes one stalled run, if it is still stalled, or ends it.
-- 'resume' (publish the stage), 'cancelled', 'poison' (it was started too often and is quarantined), 'refused' (the database
-- refuses the status, and the run has failed) or 'none' (it moved on by itself).
-- Rule: revive, poison.
create or replace function public.docpipe_revive(
    p_document text, p_run integer, p_grace_seconds double precision, p_max_attempts integer, p_task_id text
) returns jsonb
language plpgsql set search_path = public, extensions as $$
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
        perform public.docpipe_end_failed(s, public.docpipe_poison(
            pg_catalog.format('Stage %s was started', s.stage), s.attempt, s.error_message));
        return '{"outcome": "poison"}';
    end if;
    -- Only the message is renewed. A holder that was cut off from here, and is not dead, may still finish:
    -- it loses the stage to the next claim, not to a suspicion.
    update public.stage_runs
       set waits_since = coalesce(waits_since, case when state = 'running' then lease_expires_at else queued_at end,
                                  r.created_at),
           queued_at = now()
     where document_uuid = p_document and run = p_run and stage = s.stage;
    if not public.docpipe_show(s, p_task_id, 'queued', null, true) then
        return '{"outcome": "refused"}';
    end if;
    return pg_catalog.jsonb_build_object('outcome', 'resume', 'stage', s.stage, 'priority', r.priority);
end $$;

-- Resumes a lost range, as docpipe_revive does a stage.
-- One that was started too often is given up: that costs its pages, not the document.
-- Rule: revive, give_up, poison.
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
     where document_uuid = p_document and run = p_run and state = 'active' and held_at is null
       for update skip locked;
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
        return '{"outcome": "resume"}'::jsonb || public.docpipe_give_up_range(g, public.docpipe_poison(
            pg_catalog.format('Pages %s to %s were begun', g.first_page, g.last_page), g.attempt,
            g.error_message), p_at_once);
    end if;
    update public.docpipe_page_ranges set queued_at = now()
     where document_uuid = p_document and run = p_run and first_page = p_first_page;
    update public.stage_runs set waits_since = coalesce(waits_since, lease_expires_at)
     where document_uuid = p_document and run = p_run and stage = g.stage and lease_expires_at < now();
    return pg_catalog.jsonb_build_object('outcome', 'resume', 'priority', r.priority,
        'first_pages', pg_catalog.jsonb_build_array(p_first_page));
end $$;
