-- Pauses: of everything, a stage, or a project. No attempt begins where something is paused. A message that comes all the
-- same is let go, and its run held; once nothing is paused any more, the run is released and its message sent anew.
--
-- Shares: where documents in flight are limited, a run waits before its first message, until it is let in. Nothing counts
-- up or down: what is in flight is asked of the runs themselves.

-- Begins a pause, or with false ends it; false: it was so before.
create or replace function public.docpipe_pause(p_kind text, p_name text, p_paused boolean) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    if p_paused then
        insert into public.docpipe_pauses (kind, name) values (p_kind, p_name) on conflict do nothing;
    else
        delete from public.docpipe_pauses where kind = p_kind and name = p_name;
    end if;
    return found;
end $$;

-- All pauses, the oldest first.
create or replace function public.docpipe_paused() returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(p) order by p.at, p.kind, p.name), '[]')
      from public.docpipe_pauses p;
$$;

-- Whether a stage of a document is paused.
-- Rule: is_paused.
create or replace function public.docpipe_is_paused(p_document text, p_stage text) returns boolean
language sql stable set search_path = public, extensions as $$
    select exists (
        select 1 from public.docpipe_pauses p
         where p.kind = 'all' or p.kind = 'stage' and p.name = p_stage
            or p.kind = 'project' and p.name = (
               select coalesce(d.project_id::text, '') from public.source_documents d
                where d.document_uuid = p_document));
$$;

-- Holds a run: its message was let go, and is sent anew when the run is released.
-- Rule: claim.
create or replace function public.docpipe_hold(p_document text, p_run integer) returns jsonb
language plpgsql set search_path = public, extensions as $$
begin
    update public.docpipe_runs set held_at = coalesce(held_at, now())
     where document_uuid = p_document and run = p_run;
    return '{"outcome": "paused"}';
end $$;

-- Releases held runs that are not paused any more, and says what is to be published for each.
-- Of a run that is read in ranges, these are `first_pages`; of another, they are null.
-- Rule: is_paused, hand_out.
create or replace function public.docpipe_release(p_limit integer, p_at_once integer) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_found record;
    v_task_id text;
    v_first_pages jsonb;
    v_released jsonb := '[]';
begin
    if exists (select 1 from public.docpipe_pauses where kind = 'all') then
        return v_released;
    end if;
    for v_found in
        select r.document_uuid, r.run, r.priority, s.stage, s.words,
               public.docpipe_in_ranges(r.document_uuid, r.run, s.stage) as in_ranges
          from public.docpipe_runs r
          join lateral (select * from public.stage_runs o
                         where o.document_uuid = r.document_uuid and o.run = r.run and o.state <> 'complete'
                         order by o.position limit 1) s on true
         where r.held_at is not null and r.state = 'active' and (r.admitted_at is not null or r.share is null)
           and not public.docpipe_is_paused(r.document_uuid, s.stage)
         order by r.priority, r.held_at, r.document_uuid limit p_limit for update of r skip locked
    loop
        v_task_id := gen_random_uuid()::text;
        v_first_pages := case when v_found.in_ranges
            then public.docpipe_hand_out(v_found.document_uuid, v_found.run, p_at_once) end;
        update public.docpipe_runs set held_at = null
         where document_uuid = v_found.document_uuid and run = v_found.run;
        update public.stage_runs set queued_at = now(), waits_since = null
         where document_uuid = v_found.document_uuid and run = v_found.run and stage = v_found.stage;
        if not v_found.in_ranges then
            update public.source_documents set celery_task_id = v_task_id
             where document_uuid = v_found.document_uuid and docpipe_run = v_found.run;
            perform public.docpipe_set_status(
                v_found.document_uuid, v_found.run, v_found.words->>'queued', null, null);
        end if;
        v_released := v_released || pg_catalog.jsonb_build_object(
            'document_uuid', v_found.document_uuid, 'run', v_found.run, 'stage', v_found.stage,
            'priority', v_found.priority, 'task_id', v_task_id, 'first_pages', v_first_pages);
    end loop;
    return v_released;
end $$;

-- Sets the limit of all documents or of a project, or with nothing in it takes it away. `p_limit` is a row as JSON.
-- Runs that are under way count from then on for their project.
create or replace function public.docpipe_limit(p_limit text) returns void
language plpgsql set search_path = public, extensions as $$
declare
    l public.docpipe_limits := pg_catalog.jsonb_populate_record(null::public.docpipe_limits, p_limit::jsonb);
begin
    delete from public.docpipe_limits where kind = l.kind and name = l.name;
    if l.in_flight is not null or l.per_day is not null or l.weight <> 1 then
        insert into public.docpipe_limits values (l.*);
    end if;
    update public.docpipe_runs r set share = coalesce(d.project_id::text, ''), admitted_at = r.created_at
      from public.source_documents d
     where d.document_uuid = r.document_uuid and r.state = 'active' and r.share is null
       and d.celery_status <> 'pending' and public.docpipe_is_limited();
end $$;

-- All limits and weights.
create or replace function public.docpipe_limits() returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(l) order by l.kind, l.name), '[]')
      from public.docpipe_limits l;
$$;

-- Whether documents in flight are limited; a weight alone limits nothing.
create or replace function public.docpipe_is_limited() returns boolean
language sql stable set search_path = public, extensions as $$
    select exists (select 1 from public.docpipe_limits where in_flight is not null or per_day is not null);
$$;

-- Whether a run waits for its share.
create or replace function public.docpipe_any_waits() returns boolean
language sql stable set search_path = public, extensions as $$
    select exists (select 1 from public.docpipe_runs
                    where state = 'active' and held_at is not null and admitted_at is null and share is not null);
$$;

-- Whether a run that is about to be published has to wait for its share; then it is held.
-- Rule: must_wait.
create or replace function public.docpipe_must_wait(p_document text, p_run integer, p_stage text) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    if not public.docpipe_is_limited() or public.docpipe_in_ranges(p_document, p_run, p_stage) then
        return false;
    end if;
    update public.docpipe_runs r
       set held_at = coalesce(r.held_at, now()), share = coalesce(r.share, (
               select coalesce(d.project_id::text, '') from public.source_documents d where d.document_uuid = p_document))
     where r.document_uuid = p_document and r.run = p_run and r.admitted_at is null and exists (
           select 1 from public.stage_runs s where s.document_uuid = p_document and s.run = p_run
              and s.stage = p_stage and s.state = 'queued');
    return found;
end $$;

-- What each project has in flight, has waiting and had let in today: those that have any, and those with a limit.
create or replace function public.docpipe_shares() returns jsonb
language sql stable set search_path = public, extensions as $$
    with counted as (
        select share, count(*) as in_flight, 0::bigint as waiting, 0::bigint as today from public.docpipe_runs
         where state = 'active' and (held_at is null or admitted_at is not null or share is null) group by share
        union all
        select share, 0, count(*), 0 from public.docpipe_runs
         where state = 'active' and held_at is not null and admitted_at is null and share is not null group by share
        union all
        select share, 0, 0, count(*) from public.docpipe_runs
         where admitted_at >= pg_catalog.date_trunc('day', now(), 'UTC') and share is not null group by share
        union all
        select name, 0, 0, 0 from public.docpipe_limits where kind = 'project'
    )
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f) order by f.share nulls first), '[]') from (
        select share, sum(in_flight)::bigint as in_flight, sum(waiting)::bigint as waiting, sum(today)::bigint as today
          from counted group by share) f;
$$;

-- Lets in runs that wait for their share, at most `p_most`, and says of each what docpipe_release says.
-- One at a time: what is let in is what is free. A run that somebody else moves meanwhile is left for the next time.
-- Rule: admitted, is_paused.
create or replace function public.docpipe_admit(p_most integer) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_found record;
    v_stage public.stage_runs;
    v_task_id text;
    v_today timestamptz := pg_catalog.date_trunc('day', now(), 'UTC');
    v_free bigint;
    v_admitted jsonb := '[]';
begin
    if not public.docpipe_any_waits() or exists (select 1 from public.docpipe_pauses where kind = 'all') then
        return v_admitted;
    end if;
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('docpipe shares', 49));
    select greatest(0, least(
               p_most,
               (select l.in_flight - (
                       select count(*) from public.docpipe_runs
                        where state = 'active' and (held_at is null or admitted_at is not null or share is null))
                  from public.docpipe_limits l where l.kind = 'all' and l.in_flight is not null),
               (select l.per_day - (select count(*) from public.docpipe_runs where admitted_at >= v_today)
                  from public.docpipe_limits l where l.kind = 'all' and l.per_day is not null))) into v_free;
    if v_free = 0 then
        return v_admitted;
    end if;
    for v_found in
        with recursive waiting (share) as (                    -- each project once, by the index
            select min(r.share) from public.docpipe_runs r
             where r.state = 'active' and r.held_at is not null and r.admitted_at is null and r.share is not null
            union all
            select (select min(r.share) from public.docpipe_runs r
                     where r.state = 'active' and r.held_at is not null and r.admitted_at is null
                       and r.share is not null and r.share > w.share)
              from waiting w where w.share is not null
        ), terms as (
            select w.share, coalesce(l.weight, 1) as weight, f.n as flight,
                   greatest(0, least(v_free, l.in_flight - f.n, l.per_day - case when l.per_day is not null then (
                       select count(*) from public.docpipe_runs r
                        where r.share = w.share and r.admitted_at >= v_today) end)) as free
              from waiting w left join public.docpipe_limits l on l.kind = 'project' and l.name = w.share
             cross join lateral (select count(*) as n from public.docpipe_runs r where r.share = w.share
                                    and r.state = 'active'
                                    and (r.held_at is null or r.admitted_at is not null or r.share is null)) f
             where w.share is not null and not exists (
                   select 1 from public.docpipe_pauses p where p.kind = 'project' and p.name = w.share)
        )
        select c.document_uuid, c.run, c.priority from terms t cross join lateral (
            select o.*, pg_catalog.row_number() over (order by o.priority, o.held_at, o.document_uuid) as place
              from (select r.document_uuid, r.run, r.priority, r.held_at from public.docpipe_runs r
                     where r.share = t.share
                       and r.state = 'active' and r.held_at is not null and r.admitted_at is null
                     order by r.priority, r.held_at, r.document_uuid limit t.free) o) c
         order by c.priority, (t.flight + c.place) / t.weight, c.held_at, c.document_uuid limit v_free
    loop
        perform 1 from public.docpipe_runs r where r.document_uuid = v_found.document_uuid and r.run = v_found.run
            and r.state = 'active' and r.held_at is not null for update skip locked;
        continue when not found;
        select * into v_stage from public.stage_runs s
         where s.document_uuid = v_found.document_uuid and s.run = v_found.run and s.state <> 'complete'
         order by s.position limit 1;
        continue when public.docpipe_is_paused(v_found.document_uuid, v_stage.stage);
        v_task_id := gen_random_uuid()::text;
        update public.docpipe_runs set held_at = null, admitted_at = now()
         where document_uuid = v_found.document_uuid and run = v_found.run;
        update public.stage_runs set queued_at = now(), task_id = v_task_id
         where document_uuid = v_found.document_uuid and run = v_found.run and stage = v_stage.stage;
        update public.source_documents set celery_task_id = v_task_id
         where document_uuid = v_found.document_uuid and docpipe_run = v_found.run;
        perform public.docpipe_set_status(
            v_found.document_uuid, v_found.run, v_stage.words->>'queued', null, null);
        v_admitted := v_admitted || pg_catalog.jsonb_build_object(
            'document_uuid', v_found.document_uuid, 'run', v_found.run, 'stage', v_stage.stage,
            'priority', v_found.priority, 'task_id', v_task_id, 'first_pages', null);
    end loop;
    return v_admitted;
end $$;
