-- Documents found inside another one: noted, registered, found again.

drop function if exists public.docpipe_note_children(text, integer, text, bigint, text);

-- Notes, for the attempt with this token, which documents will be registered when it ends; null: the token is old.
-- `p_children` is a JSON list of rows of docpipe_children. What was noted before is replaced. Returns how many of them,
-- from the first, are noted: with those, all that is inside one submitted document has at most `p_most` different
-- bytes. Its containers are its family, and ask for that one after the other.
-- Rule: heartbeat, fitting.
create or replace function public.docpipe_note_children(
    p_document text, p_run integer, p_stage text, p_token bigint, p_children text, p_most integer
) returns integer
language plpgsql set search_path = public, extensions as $$
declare
    keys jsonb := pg_catalog.jsonb_build_object('document_uuid', p_document, 'run', p_run);
    v_family text;
    v_known text[];
    v_fitting jsonb;
begin
    perform 1 from public.docpipe_runs
     where document_uuid = p_document and run = p_run and state = 'active' for update;
    if not found or not exists (
            select 1 from public.stage_runs
             where document_uuid = p_document and run = p_run and stage = p_stage
               and state = 'running' and token = p_token
               and not public.docpipe_in_ranges(p_document, p_run, p_stage)) then
        return null;
    end if;
    delete from public.docpipe_children where document_uuid = p_document and run = p_run;
    update public.source_documents
       set docpipe_family = coalesce(docpipe_family, pg_catalog.gen_random_uuid()::text)
     where document_uuid = p_document returning docpipe_family into v_family;
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(v_family, 53));
    select coalesce(pg_catalog.array_agg(distinct c.digest), '{}') into v_known
      from public.docpipe_children c join public.source_documents d on d.document_uuid = c.document_uuid
     where d.docpipe_family = v_family;
    select coalesce(pg_catalog.jsonb_agg(n.child order by n.place), '[]') into v_fitting from (
        select f.child, f.place, count(*) filter (where f.is_new) over (order by f.place) as new
          from (select e.value as child, e.ordinality as place,
                       e.value->>'digest' <> all (v_known) and pg_catalog.row_number() over (
                           partition by e.value->>'digest' order by e.ordinality) = 1 as is_new
                  from pg_catalog.jsonb_array_elements(p_children::jsonb) with ordinality e) f) n
     where n.new = 0 or n.new + pg_catalog.cardinality(v_known) <= p_most;
    perform public.docpipe_insert_rows(keys, pg_catalog.jsonb_build_object('children', v_fitting));
    return pg_catalog.jsonb_array_length(v_fitting);
end $$;

-- Registers the documents that a run has noted, on the terms of the one that they were found inside of.
-- These are its project, metadata, stages, priority, batch and how it is read. One that is known already stays as it is.
-- Rows are locked in the order of their digests, as docpipe_register_many does.
create or replace function public.docpipe_register_children(p_document text, p_run integer) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_terms jsonb;
    c public.docpipe_children;
    v_found jsonb;
begin
    select pg_catalog.jsonb_build_object(
               'project_id', d.project_id::text, 'metadata', d.document_metadata, 'depth', d.docpipe_depth + 1,
               'family', d.docpipe_family, 'reading', d.docpipe_reading,
               'priority', r.priority, 'batch', r.batch, 'copied', true, 'reprocess', false,
               'stages', (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                                     'stage', s.stage, 'position', s.position, 'queue', s.queue, 'words', s.words))
                            from public.stage_runs s where s.document_uuid = p_document and s.run = p_run))
      into v_terms
      from public.source_documents d join public.docpipe_runs r using (document_uuid)
     where r.document_uuid = p_document and r.run = p_run;
    for c in
        select * from public.docpipe_children
         where document_uuid = p_document and run = p_run order by digest, index
    loop
        v_found := public.docpipe_register_bytes((v_terms || pg_catalog.jsonb_build_object(
            'document_uuid', pg_catalog.gen_random_uuid(), 'name', c.name, 'uri', c.source_uri,
            'digest', c.digest, 'size', c.size))::text);
        update public.docpipe_children set child_uuid = v_found->>'document_uuid'
         where document_uuid = p_document and run = p_run and index = c.index;
    end loop;
end $$;

-- The documents that a run has found inside its own and whose first message is due.
create or replace function public.docpipe_children_due(p_document text, p_run integer) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(due) - 'place' order by due.place), '[]') from (
        select d.document_uuid, r.run, r.priority, min(c.index) as place
          from public.docpipe_children c
          join public.source_documents d on d.document_uuid = c.child_uuid
          join public.docpipe_runs r on r.document_uuid = d.document_uuid and r.run = d.docpipe_run
         where c.document_uuid = p_document and c.run = p_run and d.celery_status = 'pending'
         group by d.document_uuid, r.run, r.priority) due;
$$;

-- The documents that were found inside this one, in no other, and were never submitted by themselves.
create or replace function public.docpipe_own_children(p_document text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(d.document_uuid order by d.id), '[]')
      from public.source_documents d
     where d.document_uuid in (select c.child_uuid from public.docpipe_children c where c.document_uuid = p_document)
       and d.document_uuid <> p_document and d.docpipe_depth > 0
       and not exists (select 1 from public.docpipe_children o
                        where o.child_uuid = d.document_uuid and o.document_uuid <> p_document);
$$;
