-- Results: the rows that a stage made are written in the transaction that completes it.

-- Keeps one part of an output that is too large for a single request, until the finish with the same token.
-- Of a token that nobody works with, because its document is deleted, nothing is kept.
create or replace function public.docpipe_stage_part(p_token bigint, p_part integer, p_output text) returns void
language plpgsql set search_path = public, extensions as $$
begin
    perform 1 from public.docpipe_runs r
     where (r.document_uuid, r.run) in (
               select s.document_uuid, s.run from public.stage_runs s
                where s.token = p_token and s.state in ('queued', 'running', 'retrying')
               union all
               select g.document_uuid, g.run from public.docpipe_page_ranges g
                where g.token = p_token and g.state in ('queued', 'running', 'retrying'))
       for share;                                              -- a deletion waits, and sees this part
    if found then
        insert into public.docpipe_staged (token, part, payload) values (p_token, p_part, p_output::jsonb)
        on conflict (token, part) do update set payload = excluded.payload;
    end if;
end $$;

-- Writes one payload's rows; `keys` is {"document_uuid": …, "run": …}.
create or replace function public.docpipe_insert_rows(keys jsonb, payload jsonb) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'pages', 'chunks', 'vectors', 'mentions', 'entities', 'relations', 'edges', 'facts', 'children']
    loop
        if payload ? v_table then
            execute pg_catalog.format(
                'insert into public.%1$I select r.* from pg_catalog.jsonb_array_elements($1) e, '
                'pg_catalog.jsonb_populate_record(null::public.%1$I, e || $2) r', 'docpipe_' || v_table)
              using payload->v_table, keys;
        end if;
    end loop;
end $$;

-- Completes a stage: its rows, the ledger and the status change together; false: the token is old.
-- As with retry and fail, a repeated call with the same token is answered as the first was.
-- Rule: finish, final_status.
create or replace function public.docpipe_finish(
    p_document text, p_run integer, p_stage text, p_token bigint, p_output text
) returns boolean
language plpgsql set search_path = public, extensions as $$
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
    if not exists (select 1 from public.stage_runs
                    where document_uuid = p_document and run = p_run and stage = p_stage
                      and state = 'running' and token = p_token)
       or public.docpipe_in_ranges(p_document, p_run, p_stage) then
        delete from public.docpipe_staged where token = p_token;
        return false;
    end if;

    for v_table in select pg_catalog.jsonb_array_elements_text(o->'replaces') loop
        if v_table not in (
            'pages', 'chunks', 'vectors', 'mentions', 'entities', 'relations', 'edges', 'facts', 'children') then
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
    if o->'replaces' ? 'children' then
        perform public.docpipe_register_children(p_document, p_run);
    end if;

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
    select * into v_next from public.stage_runs
     where document_uuid = p_document and run = p_run and state <> 'complete' and stage <> p_stage
     order by position limit 1;
    if v_next.stage is null then
        delete from public.docpipe_page_search where document_uuid = p_document and run <> p_run;
        perform public.docpipe_index_pages(p_document, p_run, null);
    end if;

    update public.stage_runs                                   -- only now, for a heartbeat waits from here on
       set state = 'complete', finished_at = now(), lease_expires_at = null, output = o->'extra',
           engine = o->>'engine', docpipe_version = o->>'docpipe_version',
           makes = o->'replaces', warnings = coalesce(o->'warnings', '[]'),
           error_code = null, error_class = null, error_message = null, error_traceback = null
     where document_uuid = p_document and run = p_run and stage = p_stage
    returning * into s;
    perform public.docpipe_end_attempt(p_token, 'complete', null);
    perform public.docpipe_set_status(
        p_document, p_run, s.words->>'complete', s.words->>'graph_completed', null);
    if v_next.stage is not null then
        update public.stage_runs set queued_at = now()          -- its message follows at once
         where document_uuid = p_document and run = p_run and stage = v_next.stage;
        return true;
    end if;
    v_final := case when exists (select 1 from public.stage_runs
                                  where document_uuid = p_document and run = p_run and warnings <> '[]')
               then 'completed_with_warnings' else 'completed' end;
    update public.docpipe_runs set state = 'completed', finished_at = now(), unlinked = true
     where document_uuid = p_document and run = p_run;
    update public.source_documents
       set docpipe_result_run = p_run,
           docpipe_page_count = (select count(*) from public.docpipe_pages p
                                  where p.document_uuid = p_document and p.run = p_run)
     where document_uuid = p_document and docpipe_run = p_run;
    perform public.docpipe_set_status(p_document, p_run, v_final, v_final, null);
    return true;
end $$;

-- docpipe_finish, after which the ranges have served: they stay only where pages failed, to be read again.
-- Rule: finish, is_replayable.
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

-- docpipe_finish_stage, and in the same transaction what follows.
-- `p_then` is {"claim": {…}} for the next stage (its name and what docpipe_claim takes), or {"names": […]} after
-- the last one. Answers {"finished": …}, and if it was in time, `claim`, or `linking` and whether documents wait for
-- their share (`others_wait`); repeated, alike. Names are linked only if nobody has to be waited for. With
-- `index_ahead` in `p_then`, a long document whose pages are not in the index yet is not finished: the answer has
-- `index_ahead`, and docpipe_index_ahead is to be called first.
-- Rule: finish, claim.
create or replace function public.docpipe_finish_on(
    p_document text, p_run integer, p_stage text, p_token bigint, p_output text, p_then text
) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_then jsonb := p_then::jsonb;
    c jsonb := v_then->'claim';
begin
    if (v_then->>'index_ahead')::boolean and not public.docpipe_soon_indexed(p_document, p_run) then
        return '{"finished": false, "index_ahead": true}';
    end if;
    if not public.docpipe_finish_stage(p_document, p_run, p_stage, p_token, p_output) then
        return '{"finished": false}';
    end if;
    if c is null then
        return pg_catalog.jsonb_build_object(
            'finished', true, 'linking', public.docpipe_link_at_once(p_document, p_run, v_then->>'names'),
            'others_wait', public.docpipe_any_waits());
    end if;
    return pg_catalog.jsonb_build_object('finished', true, 'claim', public.docpipe_claim(
        p_document, p_run, c->>'stage', c->>'claim_id', c->>'task_id', c->>'worker',
        (c->>'lease_seconds')::double precision, (c->>'max_attempts')::integer));
end $$;

-- What a stage works on, in one answer: the document and the parts in `p_needs`, a JSON list; null: not small.
-- Then it is read in pieces.
create or replace function public.docpipe_input(p_document text, p_run integer, p_needs text) returns jsonb
language plpgsql stable set search_path = public, extensions as $$
declare
    v_needs jsonb := p_needs::jsonb;
    v_input jsonb;
    v_table text;
    v_rows jsonb;
begin
    if exists (select 1 from public.docpipe_runs r where r.document_uuid = p_document and r.run = p_run
                and (pg_catalog.length(r.text) > 100000
                     or (select count(*) from public.docpipe_pages p
                          where p.document_uuid = p_document and p.run = p_run) > 1000)) then
        return null;
    end if;
    select pg_catalog.jsonb_build_object(
            'document', pg_catalog.jsonb_build_object(
                'original_file_name', d.original_file_name, 'project_id', d.project_id::text,
                'celery_status', d.celery_status, 'initial_processing_status', d.initial_processing_status,
                'document_metadata', d.document_metadata, 'content_digest', d.content_digest,
                'file_size_bytes', d.file_size_bytes, 'docpipe_reading', d.docpipe_reading,
                'docpipe_depth', d.docpipe_depth),
            'run', pg_catalog.jsonb_build_object(
                'source_uri', r.source_uri, 'file_type', r.file_type, 'metadata', r.metadata,
                'text', case when v_needs ? 'text' then r.text end),
            'stages', (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                                  'stage', s.stage, 'warnings', s.warnings,
                                  'output', case when v_needs ? 'extras' then s.output end) order by s.position)
                         from public.stage_runs s where s.document_uuid = p_document and s.run = p_run))
      into v_input
      from public.source_documents d
      join public.docpipe_runs r on r.document_uuid = d.document_uuid
     where d.document_uuid = p_document and r.run = p_run;
    foreach v_table in array array[
        'pages', 'chunks', 'mentions', 'entities', 'relations', 'edges', 'facts', 'children']
    loop
        continue when not v_needs ? v_table;
        execute pg_catalog.format(
            'select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(t) - ''{document_uuid,run}''::text[] '
            'order by t.%I), ''[]'') from public.%I t where t.document_uuid = $1 and t.run = $2',
            case v_table when 'pages' then 'number' else 'index' end, 'docpipe_' || v_table)
           into v_rows using p_document, p_run;
        v_input := v_input || pg_catalog.jsonb_build_object(v_table, v_rows);
    end loop;
    return v_input;
end $$;

-- What a window shows of a run's results, and how much there is of all.
-- `p_window` is a JSON object, the fields of a `Window` in docpipe/stores/excerpt.py.
create or replace function public.docpipe_excerpt(p_document text, p_run integer, p_window text) returns jsonb
language plpgsql stable set search_path = public, extensions as $$
declare
    v_window jsonb := p_window::jsonb;
    v_label text := v_window ->> 'label';
    v_at_once integer := (v_window ->> 'pages')::integer;
    v_count integer;
    v_first integer;
    v_numbers int4range;
    v_excerpt jsonb;
    v_more jsonb;
begin
    select count(*) into v_count from public.docpipe_pages p where p.document_uuid = p_document and p.run = p_run;
    v_first := greatest(0, least((v_window ->> 'page')::integer, v_count) - 1) / v_at_once * v_at_once;
    select pg_catalog.jsonb_build_object('page_count', v_count, 'pages', coalesce(
               pg_catalog.jsonb_agg(pg_catalog.to_jsonb(p) - '{document_uuid,run}'::text[] order by p.number), '[]')),
           int4range(min(p.number), max(p.number), '[]')
      into v_excerpt, v_numbers
      from (select * from public.docpipe_pages a where a.document_uuid = p_document and a.run = p_run
             order by a.number limit v_at_once offset v_first) p;
    select pg_catalog.jsonb_build_object(
               'mentions', (
                   select coalesce(pg_catalog.jsonb_agg(
                              pg_catalog.to_jsonb(m) - '{document_uuid,run}'::text[] order by m.index), '[]')
                     from public.docpipe_mentions m
                    where m.document_uuid = p_document and m.run = p_run and m.page <@ v_numbers
                      and v_label in ('', m.label)),
               'labels', (
                   select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(l) order by l.label collate "C"), '[]')
                     from (select e.label, count(*) as entities from public.docpipe_entities e
                            where e.document_uuid = p_document and e.run = p_run group by e.label) l),
               'entities', (
                   select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(l) - 'mentions' || pg_catalog.jsonb_build_object(
                              'pages', (
                                  select coalesce(pg_catalog.jsonb_agg(f.page order by f.page), '[]') from (
                                      select distinct m.page from pg_catalog.jsonb_array_elements(l.mentions) i
                                        join public.docpipe_mentions m on m.document_uuid = p_document
                                         and m.run = p_run and m.index = i::integer
                                       order by m.page limit 8) f)) order by l.times desc, l.index), '[]')
                     from (select e.index, e.name, e.label, e.mentions,
                                  pg_catalog.jsonb_array_length(e.mentions) as times
                             from public.docpipe_entities e
                            where e.document_uuid = p_document and e.run = p_run and v_label in ('', e.label)
                            order by times desc, e.index limit (v_window ->> 'entities')::integer
                           offset (v_window ->> 'skipped_entities')::integer) l))
      into v_more;
    v_excerpt := v_excerpt || v_more;
    with wanted as (
        select r.index, r.source, r.target from public.docpipe_relations r
         where r.document_uuid = p_document and r.run = p_run and (v_label = '' or exists (
               select from public.docpipe_entities e where e.document_uuid = p_document and e.run = p_run
                and e.index in (r.source, r.target) and e.label = v_label))
    ), ends as (
        select source as entity from wanted where source <> target
        union all select target from wanted where source <> target
    ), nodes as (
        select entity, count(*) as times, count(*) over () as related from ends
         group by entity order by times desc, entity limit (v_window ->> 'nodes')::integer
    )
    select pg_catalog.jsonb_build_object(
               'relation_count', (select count(*) from wanted),
               'related', coalesce((select max(n.related) from nodes n), 0),
               'relations', (
                   select coalesce(pg_catalog.jsonb_agg(
                              pg_catalog.to_jsonb(r) - '{document_uuid,run}'::text[] order by r.index), '[]')
                     from (select w.index from wanted w order by w.index limit (v_window ->> 'relations')::integer
                           offset (v_window ->> 'skipped_relations')::integer) w
                     join public.docpipe_relations r
                       on r.document_uuid = p_document and r.run = p_run and r.index = w.index),
               'graph', (
                   select coalesce(pg_catalog.jsonb_agg(
                              pg_catalog.to_jsonb(g) - '{document_uuid,run}'::text[]
                              order by coalesce(g.count, 1) desc, g.index), '[]')
                     from (select r.* from public.docpipe_relations r
                            where r.document_uuid = p_document and r.run = p_run and r.source <> r.target
                              and r.index in (select w.index from wanted w
                                               where w.source in (select n.entity from nodes n)
                                                 and w.target in (select n.entity from nodes n))
                            order by coalesce(r.count, 1) desc, r.index
                            limit (v_window ->> 'arcs')::integer) g))
      into v_more;
    v_excerpt := v_excerpt || v_more;
    return v_excerpt || pg_catalog.jsonb_build_object('ends', (
        select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                   'index', e.index, 'name', e.name, 'label', e.label)), '[]')
          from public.docpipe_entities e
         where e.document_uuid = p_document and e.run = p_run and e.index in (
               select (f.relation ->> s.side)::integer
                 from pg_catalog.jsonb_array_elements((v_excerpt -> 'relations') || (v_excerpt -> 'graph')) f (relation)
                cross join (values ('source'), ('target')) s (side))));
end $$;

-- Results of an earlier docpipe, which did not count their pages.
update public.source_documents d
   set docpipe_page_count = (select count(*) from public.docpipe_pages p
                              where p.document_uuid = d.document_uuid and p.run = d.docpipe_result_run)
 where d.docpipe_result_run is not null and d.docpipe_page_count is null;
