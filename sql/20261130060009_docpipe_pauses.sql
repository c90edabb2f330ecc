-- Pauses: of everything, a stage, or a project. No attempt begins where something is paused. A message that comes all the
-- same is let go, and its run held; once nothing is paused any more, the run is released and its message sent anew.

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
         where r.held_at is not null and r.state = 'active'
           and not public.docpipe_is_paused(r.document_uuid, s.stage)
         order by r.priority, r.held_at, r.document_uuid limit p_limit for update of r skip locked
    loop
        v_task_id := gen_random_uuid()::text;
        v_first_pages := case when v_found.in_ranges
            then public.docpipe_hand_out(v_found.document_uuid, v_found.run, p_at_once) end;
        update public.docpipe_runs set held_at = null
         where document_uuid = v_found.document_uuid and run = v_found.run;
        update public.stage_runs set queued_at = now()
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
