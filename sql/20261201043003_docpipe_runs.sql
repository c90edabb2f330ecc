-- A run, one pass over a document: cancelled, resumed, and begun anew with results of an older one.

-- Cancels the active run: a running stage stops at its next heartbeat, a waiting one ends here.
-- Rule: cancel, is_leased.
create or replace function public.docpipe_cancel(p_document text) returns boolean
language plpgsql set search_path = public, extensions as $$
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

-- Ends a run that was asked to stop, with its stages and ranges.
-- Rule: cancel.
create or replace function public.docpipe_end_cancelled(p_document text, p_run integer) returns void
language plpgsql set search_path = public, extensions as $$
begin
    update public.docpipe_page_ranges g set state = 'cancelled', finished_at = now(), lease_expires_at = null
     where g.document_uuid = p_document and g.run = p_run and public.docpipe_is_open(g);
    update public.stage_runs set state = 'cancelled', finished_at = now(), lease_expires_at = null
     where document_uuid = p_document and run = p_run and state in ('queued', 'running', 'retrying');
    update public.docpipe_runs set state = 'cancelled', finished_at = now()
     where document_uuid = p_document and run = p_run;
    perform public.docpipe_stop_attempts(p_document, 'cancelled');
    perform public.docpipe_set_end(p_document, p_run, 'cancelled', 'cancelled', null);
end $$;

-- Resumes a failed or cancelled run at its first incomplete stage; null: there is no such run.
-- Attempts are counted from zero.
-- Rule: resumable.
create or replace function public.docpipe_resume(p_document text, p_task_id text) returns jsonb
language plpgsql set search_path = public, extensions as $$
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
    update public.docpipe_runs set state = 'active', cancel_requested = false, finished_at = null, held_at = null, refused = null
     where document_uuid = p_document and run = r.run;
    update public.stage_runs
       set state = 'queued', attempt = 0, started_at = null, finished_at = null, queued_at = null, waits_since = null,
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

-- docpipe_resume for runs that may have ranges: those that were read stay, the others are due again.
-- Rule: resumable, hand_out.
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

-- Begins a new run that keeps the results of the stages before `p_from_stage`; null: these are not complete.
-- `p_stages` is the plan, as for docpipe_register.
-- Rule: basis.
create or replace function public.docpipe_reprocess(p_document text, p_from_stage text, p_stages text)
returns jsonb
language plpgsql set search_path = public, extensions as $$
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
    perform public.docpipe_stop_attempts(p_document, 'stopped');
    insert into public.docpipe_runs (
        document_uuid, run, source_uri, source_copied, priority, trace_parent, file_type, text, metadata)
    values (p_document, v_run, old.source_uri, old.source_copied, old.priority, old.trace_parent,
            case when v_from > 0 then old.file_type end, case when v_from > 0 then old.text end,
            case when v_from > 0 then old.metadata else '{}' end);
    insert into public.stage_runs (document_uuid, run, stage, position, queue, words, priority)
    select p_document, v_run, s->>'stage', (s->>'position')::integer, s->>'queue', s->'words',
           (select r.priority from public.docpipe_runs r where r.document_uuid = p_document and r.run = v_run)
      from pg_catalog.jsonb_array_elements(p_stages::jsonb) s;
    update public.stage_runs s
       set state = 'complete', makes = o.makes, output = o.output, engine = o.engine, warnings = o.warnings,
           docpipe_version = o.docpipe_version,
           attempt = o.attempt, task_id = o.task_id, worker = o.worker,
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

-- Begins a new run that reads again what the newest, completed run could not read; null: nothing to read.
-- Rule: is_replayable, basis.
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
