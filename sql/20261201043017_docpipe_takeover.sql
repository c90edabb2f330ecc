-- Leaving an existing database queue: a document of the old system begins a run, and the old queue is sealed.

-- Begins the first run of a document that the old system registered; its row and uuid stay.
-- `p_document` is the JSON object of docpipe_register. False: docpipe has it already, or there is no such
-- document.
create or replace function public.docpipe_adopt(p_document text) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    d jsonb := p_document::jsonb;
    row public.source_documents;
begin
    select * into row from public.source_documents where document_uuid = d->>'document_uuid' for update;
    if row.document_uuid is null or row.docpipe_run is not null then
        return false;
    end if;
    begin
        update public.source_documents set content_digest = d->>'digest'
         where document_uuid = row.document_uuid;
    exception when unique_violation then                       -- the same bytes twice: each keeps its own results
        null;
    end;
    insert into public.docpipe_runs (document_uuid, run, source_uri, source_copied, priority)
    values (row.document_uuid, 1, d->>'uri', (d->>'copied')::boolean, (d->>'priority')::smallint);
    insert into public.stage_runs (document_uuid, run, stage, position, queue, words, priority)
    select row.document_uuid, 1, s->>'stage', (s->>'position')::integer, s->>'queue', s->'words',
           (select r.priority from public.docpipe_runs r where r.document_uuid = row.document_uuid and r.run = 1)
      from pg_catalog.jsonb_array_elements(d->'stages') s;
    update public.source_documents
       set docpipe_run = 1, celery_task_id = null,
           file_size_bytes = coalesce((d->>'size')::bigint, file_size_bytes),
           original_file_name = coalesce(original_file_name, d->>'name')
     where document_uuid = row.document_uuid;
    update public.neo4j_documents set "sourceDocumentUuid" = row.document_uuid
     where "documentId" = row.document_uuid and "sourceDocumentUuid" is null
       and not exists (select 1 from public.neo4j_documents n where n."sourceDocumentUuid" = row.document_uuid);
    perform public.docpipe_set_status(row.document_uuid, 1, 'pending', null, null);
    return true;
end $$;

-- Refuses rows: what the trigger of a sealed queue calls.
create or replace function public.docpipe_refuse_queue() returns trigger
language plpgsql set search_path = public, extensions as $$
begin
    raise exception '% is sealed: docpipe has taken over its work', tg_table_name
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'Submit documents with docpipe.submit() or `docpipe submit`. To open the queue again: '
                   'docpipe queue unseal';
end $$;
