-- Entities across the documents of a project, and the removal of a document.
--
-- A project's entities are made of names: one row for each entity of the run whose results are read. Equal
-- keys are one thing; links join keys that differ; what people decided overrides both. Links are a function
-- of the names that are there, so nothing depends on the order in which documents came.

create table if not exists public.docpipe_entity_names (
    document_uuid text not null,
    run integer not null,
    index integer not null,
    project_id text not null,                                  -- '' for documents without a project
    key text not null,                                         -- label and comparable name
    name text not null,
    label text not null,
    spellings text not null,                                   -- lower case, one a line: what a search looks at
    mention_count integer not null,
    primary key (document_uuid, run, index),
    foreign key (document_uuid, run, index)
        references public.docpipe_entities (document_uuid, run, index) on delete cascade
);
create index if not exists docpipe_entity_names_key_idx on public.docpipe_entity_names (project_id, key);

-- Only names that share a block are compared.
create table if not exists public.docpipe_entity_blocks (
    project_id text not null,
    block text not null,
    key text not null,
    primary key (project_id, block, key)
);
create index if not exists docpipe_entity_blocks_key_idx on public.docpipe_entity_blocks (project_id, key);

create table if not exists public.docpipe_entity_links (
    project_id text not null,
    key_a text not null,
    key_b text not null,
    rule text not null,                                        -- form, ocr, spelling, initials, acronym
    score double precision not null,
    primary key (project_id, key_a, key_b),
    check (key_a collate "C" < key_b collate "C")
);
create index if not exists docpipe_entity_links_key_b_idx on public.docpipe_entity_links (project_id, key_b);

create table if not exists public.docpipe_entity_decisions (
    project_id text not null,
    key_a text not null,
    key_b text not null,
    same boolean not null,                                     -- true: merged, false: split
    at timestamptz not null default now(),
    primary key (project_id, key_a, key_b),
    check (key_a collate "C" < key_b collate "C")
);
create index if not exists docpipe_entity_decisions_key_b_idx
    on public.docpipe_entity_decisions (project_id, key_b);

-- The run whose names the project has; another one than docpipe_result_run until the document is linked.
create table if not exists public.docpipe_entity_linked (
    document_uuid text primary key references public.source_documents (document_uuid) on delete cascade,
    run integer not null
);

-- All changes of a project's names and links go through this lock, which the transaction holds to its end.
create or replace function public.docpipe_lock_project(p_project text) returns void
language sql set search_path = public, extensions as $$
    select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('docpipe project ' || p_project, 0));
$$;

-- A document's project, if `p_run` holds the results to read; null if not. Locks the document's row.
create or replace function public.docpipe_linkable(p_document text, p_run integer) returns text
language sql set search_path = public, extensions as $$
    select coalesce(project_id::text, '') from public.source_documents
     where document_uuid = p_document and docpipe_result_run = p_run for update;
$$;

-- The names of a run, all or a slice of them.
create or replace function public.docpipe_put_names(p_document text, p_run integer, p_names text)
returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    v_project text := public.docpipe_linkable(p_document, p_run);
begin
    if v_project is null then
        return false;
    end if;
    perform public.docpipe_lock_project(v_project);
    insert into public.docpipe_entity_names
        (document_uuid, run, index, project_id, key, name, label, spellings, mention_count)
    select p_document, p_run, n.index, v_project, n.key, n.name, n.label, n.spellings, n.mention_count
      from pg_catalog.jsonb_to_recordset(p_names::jsonb)
           as n (index integer, key text, name text, label text, spellings text, mention_count integer)
    on conflict (document_uuid, run, index) do update
       set key = excluded.key, name = excluded.name, label = excluded.label,
           spellings = excluded.spellings, mention_count = excluded.mention_count;
    insert into public.docpipe_entity_blocks (project_id, block, key)
    select distinct v_project, b.block, n.key
      from pg_catalog.jsonb_to_recordset(p_names::jsonb) as n (key text, blocks jsonb)
     cross join lateral pg_catalog.jsonb_array_elements_text(n.blocks) as b (block)
    on conflict do nothing;
    return true;
end $$;

-- [block, key] of every name in the blocks.
create or replace function public.docpipe_rivals(p_project text, p_blocks text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(block, key)), '[]')
      from public.docpipe_entity_blocks
     where project_id = p_project
       and block in (select pg_catalog.jsonb_array_elements_text(p_blocks::jsonb));
$$;

-- Links of which either end is there. A pair that is known keeps its rule and score: they depend on it alone.
create or replace function public.docpipe_put_links(p_project text, p_links text) returns void
language plpgsql set search_path = public, extensions as $$
begin
    perform public.docpipe_lock_project(p_project);
    insert into public.docpipe_entity_links (project_id, key_a, key_b, rule, score)
    select p_project, l.key_a, l.key_b, l.rule, l.score
      from pg_catalog.jsonb_to_recordset(p_links::jsonb)
           as l (key_a text, key_b text, rule text, score double precision)
     where exists (select 1 from public.docpipe_entity_names n where n.project_id = p_project and n.key = l.key_a)
       and exists (select 1 from public.docpipe_entity_names n where n.project_id = p_project and n.key = l.key_b)
    on conflict do nothing;
end $$;

-- What hangs on keys that no document names any more.
create or replace function public.docpipe_prune_keys(p_project text, p_keys text[]) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_gone text[];
begin
    select pg_catalog.array_agg(distinct k.key) into v_gone from pg_catalog.unnest(p_keys) as k (key)
     where not exists (select 1 from public.docpipe_entity_names n
                        where n.project_id = p_project and n.key = k.key);
    delete from public.docpipe_entity_blocks where project_id = p_project and key = any (v_gone);
    delete from public.docpipe_entity_links
     where project_id = p_project and (key_a = any (v_gone) or key_b = any (v_gone));
    delete from public.docpipe_entity_decisions
     where project_id = p_project and (key_a = any (v_gone) or key_b = any (v_gone));
end $$;

-- The run's names and links are all there: those of the document's older runs go.
create or replace function public.docpipe_linked(p_document text, p_run integer) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    v_project text := public.docpipe_linkable(p_document, p_run);
    v_keys text[];
begin
    if v_project is null then
        return false;
    end if;
    perform public.docpipe_lock_project(v_project);
    with gone as (
        delete from public.docpipe_entity_names where document_uuid = p_document and run <> p_run returning key
    ) select pg_catalog.array_agg(key) into v_keys from gone;
    perform public.docpipe_prune_keys(v_project, v_keys);
    insert into public.docpipe_entity_linked (document_uuid, run) values (p_document, p_run)
    on conflict (document_uuid) do update set run = excluded.run;
    return true;
end $$;

-- Documents whose results are not linked yet, among the runs that completed lately (null: among all).
create or replace function public.docpipe_unlinked(p_project text, p_seconds double precision, p_limit integer)
returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(u.document_uuid, u.run)), '[]')
      from (select r.document_uuid, r.run
              from public.docpipe_runs r
              join public.source_documents d
                on d.document_uuid = r.document_uuid and d.docpipe_result_run = r.run
              left join public.docpipe_entity_linked l on l.document_uuid = r.document_uuid
             where l.run is distinct from r.run
               and (p_project is null or coalesce(d.project_id::text, '') = p_project)
               and (p_seconds is null or r.finished_at >= now() - make_interval(secs => p_seconds))
             order by r.finished_at limit p_limit) u;
$$;

-- The links and decisions that end at one of the keys.
create or replace function public.docpipe_ties(p_project text, p_keys text) returns jsonb
language sql stable set search_path = public, extensions as $$
    with asked as (
        select pg_catalog.jsonb_array_elements_text(p_keys::jsonb) as key
    ), links as (
        select l.* from public.docpipe_entity_links l join asked on l.key_a = asked.key
         where l.project_id = p_project
        union
        select l.* from public.docpipe_entity_links l join asked on l.key_b = asked.key
         where l.project_id = p_project
    ), decisions as (
        select d.* from public.docpipe_entity_decisions d join asked on d.key_a = asked.key
         where d.project_id = p_project
        union
        select d.* from public.docpipe_entity_decisions d join asked on d.key_b = asked.key
         where d.project_id = p_project
    )
    select pg_catalog.jsonb_build_object(
        'links', coalesce((select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(l) - 'project_id') from links l), '[]'),
        'decisions', coalesce((select pg_catalog.jsonb_agg(
                                   pg_catalog.jsonb_build_object('key_a', key_a, 'key_b', key_b, 'same', same))
                                 from decisions), '[]'));
$$;

-- Keys of a project in order, after `p_after`; with `p_text` those of which a spelling holds it.
create or replace function public.docpipe_keys(p_project text, p_text text, p_after text, p_limit integer)
returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(k.key order by k.key), '[]')
      from (select distinct n.key collate "C" as key from public.docpipe_entity_names n
             where n.project_id = p_project and n.key collate "C" > p_after
               and (p_text = '' or pg_catalog.strpos(n.spellings, p_text) > 0)
             order by 1 limit p_limit) k;
$$;

-- The entities of documents that the keys stand for.
create or replace function public.docpipe_members(p_project text, p_keys text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(
               pg_catalog.to_jsonb(n) - 'project_id' order by n.document_uuid, n.index), '[]')
      from public.docpipe_entity_names n
     where n.project_id = p_project
       and n.key in (select pg_catalog.jsonb_array_elements_text(p_keys::jsonb));
$$;

-- One entity of a document, and its project.
create or replace function public.docpipe_member(p_document text, p_index integer) returns jsonb
language sql stable set search_path = public, extensions as $$
    select pg_catalog.to_jsonb(n) from public.docpipe_entity_names n
     where n.document_uuid = p_document and n.index = p_index order by n.run desc limit 1;
$$;

-- One step of an entity's neighbourhood: the relations that begin or end at entities of documents
-- (`[[document_uuid, run, index]]`), in order, after a number of them.
create or replace function public.docpipe_relations_of(p_entities text, p_skip integer, p_limit integer)
returns jsonb
language sql stable set search_path = public, extensions as $$
    with asked as (
        select e->>0 as document_uuid, (e->>1)::integer as run, (e->>2)::integer as index
          from pg_catalog.jsonb_array_elements(p_entities::jsonb) e
    )
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f) order by f.document_uuid, f.index), '[]')
      from (select r.* from public.docpipe_relations r
             where exists (select 1 from asked a where a.document_uuid = r.document_uuid and a.run = r.run
                                                   and a.index in (r.source, r.target))
             order by r.document_uuid, r.index offset p_skip limit p_limit) f;
$$;

-- Write down that two keys are one thing (true) or two (false), or take it back (null).
create or replace function public.docpipe_decide(p_project text, p_key_a text, p_key_b text, p_same boolean)
returns void
language plpgsql set search_path = public, extensions as $$
begin
    perform public.docpipe_lock_project(p_project);
    delete from public.docpipe_entity_decisions
     where project_id = p_project and key_a = p_key_a and key_b = p_key_b;
    insert into public.docpipe_entity_decisions (project_id, key_a, key_b, same)
    select p_project, p_key_a, p_key_b, p_same where p_same is not null
       and exists (select 1 from public.docpipe_entity_names where project_id = p_project and key = p_key_a)
       and exists (select 1 from public.docpipe_entity_names where project_id = p_project and key = p_key_b);
end $$;

-- Two documents have the same name for two things: in this document the key is one of its own from now on,
-- or no longer.
create or replace function public.docpipe_set_apart(p_document text, p_key text, p_apart boolean) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_own text := p_key || ' @' || p_document;
    v_project text;
begin
    select project_id into v_project from public.docpipe_entity_names where document_uuid = p_document limit 1;
    perform public.docpipe_lock_project(v_project);
    update public.docpipe_entity_names set key = case when p_apart then v_own else p_key end
     where document_uuid = p_document and key = case when p_apart then p_key else v_own end;
    perform public.docpipe_decide(v_project, p_key, v_own, case when p_apart then false end);
end $$;

-- Remove a document with everything that was made of it. Returns the locators of its bytes that no other
-- document has; null if there is no such document.
create or replace function public.docpipe_delete(p_document text) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_project text;
    v_keys text[];
    v_uris jsonb;
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
    select coalesce(pg_catalog.jsonb_agg(distinct r.source_uri), '[]') into v_uris
      from public.docpipe_runs r
     where r.document_uuid = p_document
       and not exists (select 1 from public.docpipe_runs o
                        where o.source_uri = r.source_uri and o.document_uuid <> p_document);
    delete from public.docpipe_staged
     where token in (select token from public.stage_runs where document_uuid = p_document);
    delete from public.docpipe_runs where document_uuid = p_document;
    delete from public.docpipe_history where document_uuid = p_document;
    delete from public.docpipe_former_status where document_uuid = p_document;
    update public.docpipe_queue_imports set document_uuid = null where document_uuid = p_document;
    delete from public.neo4j_documents where "sourceDocumentUuid" = p_document;
    delete from public.source_documents where document_uuid = p_document;
    perform public.docpipe_prune_keys(v_project, v_keys);
    return v_uris;
end $$;

create or replace function public.docpipe_schema_version() returns text
language sql immutable set search_path = public, extensions as $$ select '20261122120000'; $$;

comment on table public.docpipe_edges is
    'Structural edges. PART_OF: page, chunk -> document; NEXT: chunk -> the following chunk; MENTIONS: chunk -> '
    'mention; REFERS_TO: mention -> entity. Node ids: document, page:NUMBER, chunk:INDEX, mention:INDEX, entity:INDEX';
comment on table public.docpipe_relations is
    'Edges entity -> entity of one document, each with the span of text that shows it (its evidence)';
comment on table public.docpipe_pages is 'Nodes of type Page';
comment on table public.docpipe_chunks is 'Nodes of type Chunk';
comment on table public.docpipe_mentions is 'Nodes of type Mention: one place in the text that names something';
comment on table public.docpipe_entities is 'Nodes of type Entity: what several mentions of one document name';
comment on table public.docpipe_entity_names is
    'The names by which entities of documents are joined to entities of their project; equal keys are one thing';

do $$
declare
    v_name text;
    v_role text;
begin
    foreach v_name in array array['docpipe_entity_names', 'docpipe_entity_blocks', 'docpipe_entity_links',
                                  'docpipe_entity_decisions', 'docpipe_entity_linked',
                                  'docpipe_former_status', 'docpipe_queue_imports'] loop
        execute format('alter table public.%I enable row level security', v_name);
        if exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role') then
            execute format('grant select, insert, update, delete on public.%I to service_role', v_name);
            if not exists (select 1 from pg_catalog.pg_policies
                            where schemaname = 'public' and tablename = v_name
                              and policyname = 'docpipe_service_role') then
                execute format('create policy docpipe_service_role on public.%I '
                               'to service_role using (true) with check (true)', v_name);
            end if;
        end if;
    end loop;
    for v_name in
        select p.oid::regprocedure::text from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace
           and p.proname in ('docpipe_lock_project', 'docpipe_linkable', 'docpipe_put_names', 'docpipe_rivals',
                             'docpipe_put_links', 'docpipe_prune_keys', 'docpipe_linked', 'docpipe_unlinked',
                             'docpipe_ties', 'docpipe_keys', 'docpipe_members', 'docpipe_member', 'docpipe_relations_of',
                             'docpipe_decide', 'docpipe_set_apart', 'docpipe_delete', 'docpipe_schema_version')
    loop
        execute format('revoke all on function %s from public', v_name);
        for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke all on function %s from %I', v_name, v_role);
        end loop;
        if exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role') then
            execute format('grant execute on function %s to service_role', v_name);
        end if;
    end loop;
end $$;
