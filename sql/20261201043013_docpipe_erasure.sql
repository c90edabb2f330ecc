-- A document's end: deleted in one transaction, with a note of what is left elsewhere until that is gone too.

-- Removes a document with everything that was made of it here, and notes what is left elsewhere in docpipe_erasures.
-- Null: no such document. Returns the locators of the copies that are written down: all that
-- docpipe made. Whether another document has them too is asked when they are removed: now it may be deleted as well.
create or replace function public.docpipe_delete(p_document text) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_project text;
    v_keys text[];
    v_copies jsonb;
begin
    perform 1 from public.docpipe_runs where document_uuid = p_document for update;  -- as finish locks them
    select coalesce(project_id::text, '') into v_project
      from public.source_documents where document_uuid = p_document for update;
    if not found then
        return null;
    end if;
    perform public.docpipe_lock_project(v_project);
    select pg_catalog.array_agg(key) into v_keys
      from public.docpipe_entity_names where document_uuid = p_document;
    select coalesce(pg_catalog.jsonb_agg(distinct pg_catalog.jsonb_build_array(k.uri, k.made)), '[]')
      into v_copies
      from (select r.source_uri as uri, r.source_copied as made from public.docpipe_runs r
             where r.document_uuid = p_document and r.source_copied is distinct from false
            union all
            select c.source_uri, true from public.docpipe_children c
             where c.document_uuid = p_document and c.child_uuid is null) k;
    insert into public.docpipe_erasures (document_uuid, copies) values (p_document, v_copies)
    on conflict (document_uuid) do update set copies = docpipe_erasures.copies || excluded.copies;
    delete from public.docpipe_staged
     where token in (select token from public.stage_runs where document_uuid = p_document
                     union all
                     select token from public.docpipe_page_ranges where document_uuid = p_document);
    delete from public.docpipe_runs where document_uuid = p_document;
    delete from public.docpipe_history where document_uuid = p_document;
    update public.docpipe_actions set target = null where pg_catalog.strpos(target, p_document) > 0;
    delete from public.docpipe_former_status where document_uuid = p_document;
    update public.docpipe_queue_imports set document_uuid = null where document_uuid = p_document;
    delete from public.neo4j_documents where "sourceDocumentUuid" = p_document;
    delete from public.source_documents where document_uuid = p_document;
    perform public.docpipe_prune_keys(v_project, v_keys);
    return (select coalesce(pg_catalog.jsonb_agg(c->0), '[]') from pg_catalog.jsonb_array_elements(v_copies) c);
end $$;

-- Deletes, as docpipe_delete does, the documents whose newest run ended longer than `p_seconds` ago, oldest first.
-- Returns their ids, at most `p_limit`. A document that is at work again meanwhile stays.
create or replace function public.docpipe_expire(p_seconds double precision, p_limit integer) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_document text;
    v_run integer;
    v_expired jsonb := '[]';
begin
    for v_document, v_run in
        select r.document_uuid, r.run
          from public.docpipe_runs r
          join public.source_documents d on d.document_uuid = r.document_uuid and d.docpipe_run = r.run
         where r.state <> 'active' and r.finished_at < now() - make_interval(secs => p_seconds)
         order by r.finished_at limit p_limit
           for update of r skip locked
    loop
        perform 1 from public.source_documents
          where document_uuid = v_document and docpipe_run = v_run for update;
        if found then                                          -- else a newer run began while this waited
            perform public.docpipe_delete(v_document);
            v_expired := v_expired || pg_catalog.to_jsonb(v_document);
        end if;
    end loop;
    return v_expired;
end $$;

-- Removes what is older than `p_seconds`: history and attempts of documents not at work, and what webhooks were told.
-- Returns how many, at most `p_limit`.
create or replace function public.docpipe_forget_history(p_seconds double precision, p_limit integer)
returns integer
language plpgsql set search_path = public, extensions as $$
declare
    v_forgotten integer;
    v_attempts integer;
    v_events integer;
begin
    delete from public.docpipe_history where id in (
        select h.id from public.docpipe_history h
         where h.at < now() - make_interval(secs => p_seconds)
           and not exists (select 1 from public.docpipe_runs r
                            where r.document_uuid = h.document_uuid and r.state = 'active')
         order by h.id limit p_limit);
    get diagnostics v_forgotten = row_count;
    delete from public.docpipe_attempts where token in (
        select a.token from public.docpipe_attempts a
         where a.ended_at < now() - make_interval(secs => p_seconds)
           and not exists (select 1 from public.docpipe_runs r
                            where r.document_uuid = a.document_uuid and r.state = 'active')
         order by a.token limit p_limit - v_forgotten);
    get diagnostics v_attempts = row_count;
    delete from public.docpipe_webhook_events where place in (
        select e.place from public.docpipe_webhook_events e
         where e.settled_at < now() - make_interval(secs => p_seconds)
         order by e.place limit p_limit - v_forgotten - v_attempts);
    get diagnostics v_events = row_count;
    return v_forgotten + v_attempts + v_events;
end $$;

-- What is left of deleted documents outside the database, the longest untried first; of `p_document` alone if given.
-- A copy that another document has, or the same bytes submitted again, is left out.
create or replace function public.docpipe_erasures(p_document text, p_limit integer) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_due jsonb;
begin
    with due as (
        select e.document_uuid from public.docpipe_erasures e
         where p_document is null or e.document_uuid = p_document
         order by e.tried_at nulls first, e.at limit p_limit for update skip locked
    ), tried as (
        update public.docpipe_erasures e set tried_at = clock_timestamp()
          from due where e.document_uuid = due.document_uuid returning e.document_uuid, e.copies
    )
    select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('document_uuid', t.document_uuid, 'copies', (
               select coalesce(pg_catalog.jsonb_agg(c), '[]') from pg_catalog.jsonb_array_elements(t.copies) c
                where not exists (select 1 from public.docpipe_runs r where r.source_uri = c->>0))))
      into v_due from tried t;
    return coalesce(v_due, '[]');
end $$;

-- Says that nothing is left of a deleted document; false: that was known.
create or replace function public.docpipe_erased(p_document text) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    delete from public.docpipe_erasures where document_uuid = p_document;
    return found;
end $$;

-- How many rows of each table are of the document, and how many names of projects are no document's any more.
create or replace function public.docpipe_traces(p_document text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select pg_catalog.jsonb_build_object(
        'source_documents', (select count(*) from public.source_documents where document_uuid = p_document),
        'neo4j_documents', (select count(*) from public.neo4j_documents where "sourceDocumentUuid" = p_document),
        'docpipe_runs', (select count(*) from public.docpipe_runs where document_uuid = p_document),
        'stage_runs', (select count(*) from public.stage_runs where document_uuid = p_document),
        'docpipe_attempts', (select count(*) from public.docpipe_attempts where document_uuid = p_document),
        'docpipe_page_ranges', (select count(*) from public.docpipe_page_ranges where document_uuid = p_document),
        'docpipe_staged', (select count(*) from public.docpipe_staged s where not exists (
                select 1 from public.stage_runs r where r.token = s.token) and not exists (
                select 1 from public.docpipe_page_ranges r where r.token = s.token)),
        'docpipe_history', (select count(*) from public.docpipe_history where document_uuid = p_document),
        'docpipe_webhook_events', (select count(*) from public.docpipe_webhook_events where document_uuid = p_document),
        'docpipe_webhook_deliveries', (select count(*) from public.docpipe_webhook_deliveries t
                join public.docpipe_webhook_events e on e.id = t.event_id where e.document_uuid = p_document),
        'docpipe_pages', (select count(*) from public.docpipe_pages where document_uuid = p_document),
        'docpipe_page_search', (select count(*) from public.docpipe_page_search where document_uuid = p_document),
        'docpipe_children', (select count(*) from public.docpipe_children where p_document in (document_uuid, child_uuid)),
        'docpipe_chunks', (select count(*) from public.docpipe_chunks where document_uuid = p_document),
        'docpipe_vectors', (select count(*) from public.docpipe_vectors where document_uuid = p_document),
        'docpipe_mentions', (select count(*) from public.docpipe_mentions where document_uuid = p_document),
        'docpipe_entities', (select count(*) from public.docpipe_entities where document_uuid = p_document),
        'docpipe_relations', (select count(*) from public.docpipe_relations where document_uuid = p_document),
        'docpipe_edges', (select count(*) from public.docpipe_edges where document_uuid = p_document),
        'docpipe_facts', (select count(*) from public.docpipe_facts where document_uuid = p_document),
        'docpipe_entity_names', (select count(*) from public.docpipe_entity_names where document_uuid = p_document),
        'docpipe_idempotency_keys', (select count(*) from public.docpipe_idempotency_keys where document_uuid = p_document),
        'docpipe_entity_linked', (select count(*) from public.docpipe_entity_linked where document_uuid = p_document),
        'docpipe_former_status', (select count(*) from public.docpipe_former_status where document_uuid = p_document),
        'docpipe_queue_imports', (select count(*) from public.docpipe_queue_imports where document_uuid = p_document),
        'docpipe_actions', (select count(*) from public.docpipe_actions where pg_catalog.strpos(target, p_document) > 0),
        'docpipe_erasures', (select count(*) from public.docpipe_erasures where document_uuid = p_document),
        'docpipe_entity_blocks', (select count(*) from public.docpipe_entity_blocks b where not exists (
                select 1 from public.docpipe_entity_names n where n.project_id = b.project_id and n.key = b.key)),
        'docpipe_entity_links', (select count(*) from public.docpipe_entity_links l where not exists (
                select 1 from public.docpipe_entity_names n where n.project_id = l.project_id and n.key = l.key_a)
                or not exists (
                select 1 from public.docpipe_entity_names n where n.project_id = l.project_id and n.key = l.key_b)),
        'docpipe_entity_decisions', (select count(*) from public.docpipe_entity_decisions d where not exists (
                select 1 from public.docpipe_entity_names n where n.project_id = d.project_id and n.key = d.key_a)
                or not exists (
                select 1 from public.docpipe_entity_names n where n.project_id = d.project_id and n.key = d.key_b)));
$$;
