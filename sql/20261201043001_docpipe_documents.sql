-- A document: registered, looked up, deleted; and its status.
--
-- What holds for all functions of docpipe: each is one statement for the caller and one transaction here.
-- Arguments are scalars and at most one text that holds JSON. A call that comes too late (old token, finished
-- run) changes nothing and says so in what it returns. Every name is qualified; `search_path` is pinned to the
-- path that a host's tables are usually written with, because a host's trigger that fires here may rely on it.
-- None of the functions has rights of its own.

-- Writes a document's status to both tables and the history; nothing else does, but docpipe_register_new for new rows.
-- The status of a document that is done is in initial_processing_status; celery_status says `graph_complete`.
create or replace function public.docpipe_set_status(
    p_document text, p_run integer, p_status text, p_graph_status text, p_error text
) returns void
language plpgsql set search_path = public, extensions as $$
begin
    update public.source_documents
       set celery_status = case when p_status in ('completed', 'completed_with_warnings')
                                then 'graph_complete' else p_status end,
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
    perform public.docpipe_tell(p_document, p_run, p_status);
end $$;

-- Whether the error is a rule of the database's own that refuses a write: a constraint, or what a trigger raises.
-- docpipe/stores/functions/errors.py has it the same.
create or replace function public.docpipe_is_refusal(p_state text) returns boolean
language sql immutable set search_path = public, extensions as $$
    select p_state in ('23505', '23514', '23P01', '44000')
        or p_state ~ '^[A-Z][0-9A-Z]{4}$' and p_state !~ '^(XX|F0|HV)';
$$;

-- With what a run fails that is refused a write; null: the error is no refusal.
-- A rule of the database's own refuses it, or the user lacks the right.
create or replace function public.docpipe_refusal(p_state text, p_message text) returns jsonb
language sql immutable set search_path = public, extensions as $$
    select case when public.docpipe_is_refusal(p_state) then pg_catalog.jsonb_build_object(
            'code', 'refused_by_database', 'error_class', 'RefusedByDatabaseError', 'traceback', '',
            'message', pg_catalog.format('The database refuses it (%s): %s.', p_state, p_message))
        when p_state = '42501' then pg_catalog.jsonb_build_object(
            'code', 'permission_denied', 'error_class', 'PermissionDeniedError', 'traceback', '',
            'message', pg_catalog.format('The database refuses the user: %s.', p_message)) end;
$$;

-- docpipe_set_status for an end that the ledger has: where the database refuses it, the ledger alone has it.
-- It stands in docpipe_runs.refused then, and the words of the refusal are returned. Who asks for the status is told the end.
create or replace function public.docpipe_set_end(
    p_document text, p_run integer, p_status text, p_graph_status text, p_error text
) returns text
language plpgsql set search_path = public, extensions as $$
begin
    perform public.docpipe_set_status(p_document, p_run, p_status, p_graph_status, p_error);
    return null;
exception when others then
    if public.docpipe_refusal(sqlstate, sqlerrm) is null then
        raise;
    end if;
    update public.docpipe_runs set refused = p_status where document_uuid = p_document and run = p_run;
    insert into public.docpipe_history (document_uuid, run, status, graph_status)
    values (p_document, p_run, p_status, null);
    perform public.docpipe_tell(p_document, p_run, p_status);
    return pg_catalog.format('The database refuses to have that in source_documents (%s): %s.', sqlstate, sqlerrm);
end $$;

-- A document's one status, out of the two columns that docpipe_set_status writes.
create or replace function public.docpipe_document_status(p_celery_status text, p_initial_status text) returns text
language sql immutable set search_path = public, extensions as $$
    select case when p_celery_status = 'graph_complete'
                 and p_initial_status in ('completed', 'completed_with_warnings')
           then p_initial_status else p_celery_status end;
$$;

-- A document's one status: the end that may not stand in its row, or what docpipe_document_status says.
create or replace function public.docpipe_status_of(d public.source_documents) returns text
language sql stable set search_path = public, extensions as $$
    select coalesce(
        (select r.refused from public.docpipe_runs r
          where r.document_uuid = d.document_uuid and r.run = d.docpipe_run and r.refused is not null),
        public.docpipe_document_status(d.celery_status::text, d.initial_processing_status::text));
$$;

-- Documents that an earlier docpipe has done: it wrote their status to both columns.
update public.source_documents set celery_status = 'graph_complete'
 where docpipe_run is not null and celery_status::text in ('completed', 'completed_with_warnings')
   and initial_processing_status::text = celery_status::text;

-- What docpipe_register answers of a document that was known.
create or replace function public.docpipe_known(p_document public.source_documents) returns jsonb
language sql stable set search_path = public, extensions as $$
    select pg_catalog.jsonb_build_object(
        'document_uuid', p_document.document_uuid, 'run', p_document.docpipe_run, 'created', false,
        'status', public.docpipe_status_of(p_document),
        'task_id', p_document.celery_task_id);
$$;

-- Registers a document with its first run, or finds the one with the same bytes in the same project.
-- A found document begins a new run only where `reprocess` asks for it. Its depth is the least at which it was found.
create or replace function public.docpipe_register_bytes(p_document text) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    d jsonb := p_document::jsonb;
    row public.source_documents;
    v_run integer;
    v_own public.source_documents;                             -- its project_id has the column's own type
    v_depth integer := coalesce((d->>'depth')::integer, 0);
begin
    v_own := pg_catalog.jsonb_populate_record(
        null::public.source_documents, pg_catalog.jsonb_build_object('project_id', d->'project_id'));
    insert into public.source_documents (
        document_uuid, project_id, original_file_path, original_file_name,
        file_size_bytes, content_digest, document_metadata, docpipe_depth, docpipe_family, celery_status,
        initial_processing_status
    ) values (
        d->>'document_uuid', v_own.project_id, d->>'uri', d->>'name',
        (d->>'size')::bigint, d->>'digest', d->'metadata', v_depth, d->>'family', 'pending',
        'pending'
    )
    on conflict (coalesce(project_id::text, ''), content_digest) where content_digest is not null do nothing
    returning * into row;
    if row.document_uuid is null then
        select * into strict row from public.source_documents
         where coalesce(project_id::text, '') = coalesce(v_own.project_id::text, '')
           and content_digest = d->>'digest'
           for update;
        update public.source_documents set docpipe_depth = v_depth, docpipe_family = d->>'family'
         where document_uuid = row.document_uuid and docpipe_depth > v_depth;
        if row.docpipe_run is not null and not (d->>'reprocess')::boolean then
            return public.docpipe_known(row);
        end if;
        update public.docpipe_runs set state = 'superseded', finished_at = now()
         where document_uuid = row.document_uuid and state = 'active';
        perform public.docpipe_stop_attempts(row.document_uuid, 'stopped');
    end if;
    v_run := coalesce(row.docpipe_run, 0) + 1;
    insert into public.docpipe_runs (document_uuid, run, source_uri, source_copied, priority, batch, trace_parent)
    values (row.document_uuid, v_run, d->>'uri', (d->>'copied')::boolean, (d->>'priority')::smallint, d->>'batch',
            d->>'trace_parent');
    insert into public.stage_runs (document_uuid, run, stage, position, queue, words, priority)
    select row.document_uuid, v_run, s->>'stage', (s->>'position')::integer, s->>'queue', s->'words',
           (select r.priority from public.docpipe_runs r where r.document_uuid = row.document_uuid and r.run = v_run)
      from pg_catalog.jsonb_array_elements(d->'stages') s;
    update public.source_documents
       set docpipe_run = v_run, celery_task_id = null,
           original_file_path = d->>'uri', document_metadata = d->'metadata',
           docpipe_reading = nullif(d->'reading', 'null')
     where document_uuid = row.document_uuid;
    perform public.docpipe_set_status(row.document_uuid, v_run, 'pending', null, null);
    return pg_catalog.jsonb_build_object(
        'document_uuid', row.document_uuid, 'run', v_run, 'created', true, 'status', 'pending', 'task_id', null);
end $$;

-- Registers a document as docpipe_register_bytes does, under its `idempotency_key` if it has one.
-- A key that the project knows answers the document it stands for, as it is; of one with other bytes only the `holder`.
create or replace function public.docpipe_register(p_document text) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    d jsonb := p_document::jsonb;
    v_project text := coalesce((pg_catalog.jsonb_populate_record(   -- as the column's own type spells it
        null::public.source_documents, d - 'metadata')).project_id::text, '');
    v_key text := d->>'idempotency_key';
    v_holder public.source_documents;
    v_found jsonb;
begin
    if v_key is null then
        return public.docpipe_register_bytes(p_document);
    end if;
    -- two submits under one key come one after the other
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(v_project || ' ' || v_key, 47));
    select s.* into v_holder
      from public.docpipe_idempotency_keys k join public.source_documents s on s.document_uuid = k.document_uuid
     where k.project_id = v_project and k.key = v_key;
    if not found then
        v_found := public.docpipe_register_bytes(p_document);
        insert into public.docpipe_idempotency_keys (project_id, key, document_uuid)
        values (v_project, v_key, v_found->>'document_uuid');
        return v_found;
    end if;
    if v_holder.content_digest is distinct from d->>'digest' then
        return pg_catalog.jsonb_build_object('holder', v_holder.document_uuid);
    end if;
    return public.docpipe_known(v_holder);
end $$;

-- Registers those of several documents that the store has not got, each with its first run, whose first stage is queued.
-- Answers an object: the place in the list, and what docpipe_register_many says of it. Left out are documents with an
-- `idempotency_key`, those that were known and all but the first of the same bytes. A few statements for any number: so
-- it writes here what docpipe_register_bytes, docpipe_queue and docpipe_set_status write one at a time.
create or replace function public.docpipe_register_new(p_documents jsonb) returns jsonb
language sql set search_path = public, extensions as $$
    with asked as materialized (                               -- project_id has the column's own type
        select e.ordinality as place, e.value as d, e.value->'stages'->0 as first, (pg_catalog.jsonb_populate_record(
                   null::public.source_documents,
                   pg_catalog.jsonb_build_object('project_id', e.value->'project_id'))).project_id
          from pg_catalog.jsonb_array_elements(p_documents) with ordinality e
         where e.value->>'idempotency_key' is null
    ), made as (
        insert into public.source_documents (
            document_uuid, project_id, original_file_path, original_file_name, file_size_bytes, content_digest,
            document_metadata, docpipe_depth, docpipe_reading, docpipe_run, celery_task_id, celery_status,
            initial_processing_status)
        select d->>'document_uuid', project_id, d->>'uri', d->>'name', (d->>'size')::bigint, d->>'digest',
               d->'metadata', coalesce((d->>'depth')::integer, 0), nullif(d->'reading', 'null'), 1, d->>'task_id',
               first->'words'->>'queued', first->'words'->>'queued'
          from asked order by d->>'project_id', d->>'digest', place
        on conflict (coalesce(project_id::text, ''), content_digest) where content_digest is not null do nothing
        returning document_uuid
    ), new as materialized (
        select place, d, first, d->>'document_uuid' as document_uuid
          from asked                                           -- `is true` has it hashed: a join compared all with all
         where (d->>'document_uuid' in (select m.document_uuid from made m)) is true
    ), runs as (
        insert into public.docpipe_runs (document_uuid, run, source_uri, source_copied, priority, batch, trace_parent)
        select document_uuid, 1, d->>'uri', (d->>'copied')::boolean, (d->>'priority')::smallint, d->>'batch',
               d->>'trace_parent'
          from new
    ), stages as (
        insert into public.stage_runs (
            document_uuid, run, stage, position, queue, words, priority, queued_at, task_id)
        select document_uuid, 1, s->>'stage', (s->>'position')::integer, s->>'queue', s->'words',
               (d->>'priority')::smallint, case when s = first then now() end,
               case when s = first then d->>'task_id' end
          from new, pg_catalog.jsonb_array_elements(d->'stages') s
    ), history as (
        insert into public.docpipe_history (document_uuid, run, status)
        select document_uuid, 1, h.status
          from new, lateral (values (1, 'pending'), (2, first->'words'->>'queued')) h (step, status)
         order by place, h.step
    )
    select coalesce(pg_catalog.jsonb_object_agg(place, pg_catalog.jsonb_build_object(
               'document_uuid', document_uuid, 'run', 1, 'created', true, 'status', 'pending', 'task_id', null,
               'queued', true)), '{}')
      from new;
$$;

-- Registers several documents, each as docpipe_register does, and queues those whose first message is due.
-- That is done as by docpipe_queue, with the `task_id` that each brings. Answers in their order; `queued`: publish it now.
-- Rows are locked in the order of the bytes: two calls with the same documents wait for each other.
create or replace function public.docpipe_register_many(p_documents text) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    d jsonb;
    v_place bigint;
    v_found jsonb;
    v_answers jsonb := case when public.docpipe_is_limited() then '{}'   -- then every one has to ask for its share
                            else public.docpipe_register_new(p_documents::jsonb) end;
begin
    for d, v_place in
        select e.value, e.ordinality
          from pg_catalog.jsonb_array_elements(p_documents::jsonb) with ordinality e
         where not v_answers ? e.ordinality::text
         order by e.value->>'project_id', e.value->>'digest', e.ordinality
    loop
        v_found := public.docpipe_register(d::text);
        v_answers := v_answers || pg_catalog.jsonb_build_object(v_place, v_found || pg_catalog.jsonb_build_object(
            'queued', v_found->>'status' = 'pending' and public.docpipe_queue(
                v_found->>'document_uuid', (v_found->>'run')::integer, d->'stages'->0->>'stage', d->>'task_id')));
    end loop;
    return (select coalesce(pg_catalog.jsonb_agg(a.value order by a.key::bigint), '[]')
              from pg_catalog.jsonb_each(v_answers) a);
end $$;

-- How many documents of a batch have which status.
create or replace function public.docpipe_batch(p_batch text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_object_agg(f.status, f.documents), '{}') from (
        select public.docpipe_status_of(d) as status, count(*) as documents
          from public.source_documents d
         where d.document_uuid in (select r.document_uuid from public.docpipe_runs r where r.batch = p_batch)
         group by 1) f;
$$;

-- Everything there is to know about where a document stands, in one round trip; null: no such document.
create or replace function public.docpipe_status(p_document text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select pg_catalog.jsonb_build_object(
        'document_uuid', d.document_uuid,
        'run', d.docpipe_run,
        'result_run', d.docpipe_result_run,
        'status', public.docpipe_status_of(d),
        'graph_status', n."processingStatus",
        'name', d.original_file_name,
        'project_id', d.project_id::text,
        'task_id', d.celery_task_id,
        'parent', (select c.document_uuid from public.docpipe_children c
                    where c.child_uuid = d.document_uuid and c.document_uuid <> d.document_uuid
                    order by c.document_uuid limit 1),
        'children', (select coalesce(pg_catalog.jsonb_object_agg(f.status, f.documents), '{}') from (
            select public.docpipe_status_of(o) as status, count(*) as documents
              from public.source_documents o
             where o.document_uuid in (
                   select c.child_uuid from public.docpipe_children c where c.document_uuid = d.document_uuid)
             group by 1) f),
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

-- The documents that match, the newest first, or in the order of `sort`.
-- `p_selection` is a JSON object; each key it has narrows the choice: status (list), error_code, stage,
-- project_id, engine and docpipe_version (their beginning), batch, file_type (MIME type, or how the name ends),
-- confidence_below (of a page), parent, since, until, name (a part of it), before (a document: only those after it).
-- `sort` is changed, name, status or pages, with - before it the other way round.
-- The query has the conditions that are asked for and no others, so that an index may serve them.
create or replace function public.docpipe_select(p_selection text, p_limit integer) returns jsonb
language plpgsql stable set search_path = public, extensions as $$
declare
    w jsonb := p_selection::jsonb;
    v_key text := case pg_catalog.ltrim(w->>'sort', '-')
        when 'changed' then 'd.updated_at'
        when 'name' then 'coalesce(pg_catalog.lower(d.original_file_name), '''')'
        when 'status' then 'concat(d.celery_status, '' '', d.initial_processing_status)'
        when 'pages' then 'coalesce(d.docpipe_page_count, -1)'
        end;
    v_down boolean := not w ? 'sort' or pg_catalog.starts_with(w->>'sort', '-');
    v_after text := case when v_down then '<' else '>' end;
    v_way text := case when v_down then ' desc' else ' asc' end;
    v_order text := coalesce(v_key || v_way || ', ', '') || 'd.id' || v_way;
    v_stage text := 'left join lateral (select * from public.stage_runs o
                                         where o.document_uuid = d.document_uuid and o.run = d.docpipe_run
                                           and o.state <> ''complete''
                                         order by o.position limit 1) s on true';
    v_conditions text;
    v_found jsonb;
begin
    select coalesce(pg_catalog.string_agg(' and ' || c.condition, ''), '') into v_conditions from (values
        ('status', pg_catalog.format('(d.document_uuid = any (array(
                        select r.document_uuid from public.docpipe_runs r where r.refused is not null))
                     or d.celery_status::text = any (%L::text[])) and ', array(
                        select case when s in ('completed', 'completed_with_warnings') then 'graph_complete' else s end
                          from pg_catalog.jsonb_array_elements_text(w->'status') s))
                   || '$1->''status'' ? public.docpipe_status_of(d)'),
        ('error_code', 's.error_code = $1->>''error_code'' and d.document_uuid in (
                        select e.document_uuid from public.stage_runs e where e.error_code = $1->>''error_code'')'),
        ('stage', 's.stage = $1->>''stage'''),
        ('project_id', 'd.project_id::text = $1->>''project_id'''),
        ('engine', 'exists (select 1 from public.stage_runs e
                             where e.document_uuid = d.document_uuid and e.run = d.docpipe_run
                               and pg_catalog.starts_with(e.engine, $1->>''engine''))'),
        ('docpipe_version', 'exists (select 1 from public.stage_runs e
                             where e.document_uuid = d.document_uuid and e.run = d.docpipe_run
                               and pg_catalog.starts_with(e.docpipe_version, $1->>''docpipe_version''))'),
        ('file_type', 'pg_catalog.lower($1->>''file_type'') in (
                        d.detected_file_type::text,
                        pg_catalog.substring(pg_catalog.lower(d.original_file_name), ''\.([^.]*)$''))'),
        ('confidence_below', 'exists (select 1 from public.docpipe_pages p
                             where p.document_uuid = d.document_uuid and p.run = d.docpipe_result_run
                               and p.confidence < ($1->>''confidence_below'')::double precision)'),
        ('batch', 'd.document_uuid in (
                        select r.document_uuid from public.docpipe_runs r where r.batch = $1->>''batch'')'),
        ('parent', 'd.document_uuid in (
                        select c.child_uuid from public.docpipe_children c
                         where c.document_uuid = $1->>''parent'')'),
        ('since', 'd.updated_at >= ($1->>''since'')::timestamptz'),
        ('name', 'pg_catalog.strpos(pg_catalog.lower(d.original_file_name), pg_catalog.lower($1->>''name'')) > 0'),
        ('before', case when v_key is null then 'd.id < (select b.id'
                        else '(' || v_key || ', d.id) ' || v_after || ' (select '
                             || pg_catalog.replace(v_key, 'd.', 'b.') || ', b.id' end
                   || ' from public.source_documents b where b.document_uuid = $1->>''before'')'),
        ('until', 'd.updated_at < ($1->>''until'')::timestamptz')
    ) c (key, condition) where w ? c.key;
    execute '
        select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(found)), ''[]'') from (
            select d.document_uuid, d.docpipe_run as run, d.original_file_name as name,
                   public.docpipe_status_of(row(d.*)::public.source_documents) as status,
                   d.project_id::text as project_id,
                   coalesce(d.error_message, case s.state when ''failed'' then s.error_message end) as error_message,
                   s.stage, s.error_code, d.updated_at,
                   d.docpipe_page_count as pages
              from (select d.* from public.source_documents d '
                    || case when w ?| array['error_code', 'stage'] then v_stage else '' end || '
                     where true' || v_conditions || ' order by ' || v_order || ' limit $2) d ' || v_stage || '
             order by ' || v_order || ') found' into v_found using w, p_limit;
    return v_found;
end $$;
