-- Entities across the documents of a project.
--
-- A project's entities are made of names: one row for each entity of the run whose results are read. Equal
-- keys are one thing; links join keys that differ; what people decided overrides both. Links are a function
-- of the names that are there, so nothing depends on the order in which documents came.

-- Takes the lock of a project's names and links, which the transaction holds to its end.
-- All changes of them go through it; people and deletions wait for it.
create or replace function public.docpipe_lock_project(p_project text) returns void
language sql set lock_timeout = '5s' set search_path = public, extensions as $$
    select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('docpipe project ' || p_project, 0));
$$;

-- docpipe_lock_project for those who link: as good as at once, or not at all.
-- Then the document is linked later, and no connection is held meanwhile that heartbeats need.
create or replace function public.docpipe_seize_project(p_project text) returns void
language sql set lock_timeout = '50ms' set search_path = public, extensions as $$
    select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('docpipe project ' || p_project, 0));
$$;

-- A document's project, if `p_run` holds the results to read; null if not. Locks the document's row.
create or replace function public.docpipe_linkable(p_document text, p_run integer) returns text
language sql set search_path = public, extensions as $$
    select coalesce(project_id::text, '') from public.source_documents
     where document_uuid = p_document and docpipe_result_run = p_run for update;
$$;

-- Writes the names of a run, all or a slice of them; false: another run holds the results to read.
create or replace function public.docpipe_put_names(p_document text, p_run integer, p_names text)
returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    v_project text := public.docpipe_linkable(p_document, p_run);
begin
    if v_project is null then
        return false;
    end if;
    perform public.docpipe_seize_project(v_project);
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

-- [block, key] of every name in the blocks, but of none in a block of more than 200.
-- What so many names share tells little of any two of them, and other blocks of theirs are smaller.
create or replace function public.docpipe_rivals(p_project text, p_blocks text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(f.block, f.key)), '[]') from (
        select b.block, k.key, count(*) over (partition by b.block) as keys
          from pg_catalog.jsonb_array_elements_text(p_blocks::jsonb) as b (block)
         cross join lateral (select e.key from public.docpipe_entity_blocks e
                              where e.project_id = p_project and e.block = b.block limit 201) k) f
     where f.keys <= 200;
$$;

-- Writes the links of which either end is there.
-- A pair that is known keeps its rule and score: they depend on it alone.
create or replace function public.docpipe_put_links(p_project text, p_links text) returns void
language plpgsql set search_path = public, extensions as $$
begin
    perform public.docpipe_seize_project(p_project);
    insert into public.docpipe_entity_links (project_id, key_a, key_b, rule, score)
    select p_project, l.key_a, l.key_b, l.rule, l.score
      from pg_catalog.jsonb_to_recordset(p_links::jsonb)
           as l (key_a text, key_b text, rule text, score double precision)
     where exists (select 1 from public.docpipe_entity_names n where n.project_id = p_project and n.key = l.key_a)
       and exists (select 1 from public.docpipe_entity_names n where n.project_id = p_project and n.key = l.key_b)
    on conflict do nothing;
end $$;

-- Removes what hangs on keys that no document names any more.
-- Where two documents had the same name for two things, and the key is gone, the one that had a key of its own
-- is the only one of that name now: it gets the name's key, and what was decided about its own.
create or replace function public.docpipe_prune_keys(p_project text, p_keys text[]) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_gone text[];
    v_key text;
    v_heir text;
    v_other text;
    v_tie record;
begin
    for v_key in
        select distinct k.key from pg_catalog.unnest(p_keys) as k (key)
         where not exists (select 1 from public.docpipe_entity_names n
                            where n.project_id = p_project and n.key = k.key)
    loop
        select min(d.key_b collate "C") into v_heir
          from public.docpipe_entity_decisions d
          join public.docpipe_entity_names n on n.project_id = d.project_id and n.key = d.key_b
         where d.project_id = p_project and d.key_a = v_key and d.key_b = v_key || ' @' || n.document_uuid;
        continue when v_heir is null;
        update public.docpipe_entity_names set key = v_key where project_id = p_project and key = v_heir;
        for v_tie in
            delete from public.docpipe_entity_decisions
             where project_id = p_project and (key_a = v_heir or key_b = v_heir) returning *
        loop
            v_other := case when v_tie.key_a = v_heir then v_tie.key_b else v_tie.key_a end;
            continue when v_other = v_key;
            perform public.docpipe_decide(p_project, least(v_key collate "C", v_other collate "C"),
                                          greatest(v_key collate "C", v_other collate "C"),
                                          v_tie.same, v_tie.who, v_tie.why);
        end loop;
    end loop;
    select pg_catalog.array_agg(distinct k.key) into v_gone from pg_catalog.unnest(p_keys) as k (key)
     where not exists (select 1 from public.docpipe_entity_names n
                        where n.project_id = p_project and n.key = k.key);
    delete from public.docpipe_entity_blocks where project_id = p_project and key = any (v_gone);
    delete from public.docpipe_entity_links
     where project_id = p_project and (key_a = any (v_gone) or key_b = any (v_gone));
    delete from public.docpipe_entity_decisions
     where project_id = p_project and (key_a = any (v_gone) or key_b = any (v_gone));
end $$;

-- Marks a run's names and links as all there: those of the document's older runs go.
create or replace function public.docpipe_linked(p_document text, p_run integer) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    v_project text := public.docpipe_linkable(p_document, p_run);
    v_keys text[];
begin
    if v_project is null then
        return false;
    end if;
    perform public.docpipe_seize_project(v_project);
    with gone as (
        delete from public.docpipe_entity_names where document_uuid = p_document and run <> p_run returning key
    ) select pg_catalog.array_agg(key) into v_keys from gone;
    perform public.docpipe_prune_keys(v_project, v_keys);
    insert into public.docpipe_entity_linked (document_uuid, run) values (p_document, p_run)
    on conflict (document_uuid) do update set run = excluded.run;
    update public.docpipe_runs set unlinked = false where document_uuid = p_document and run <= p_run and unlinked;
    return true;
end $$;

-- Writes a run's names, all or a slice of them, and says which keys of the project they may be the same as.
-- Null: another run holds the results to read; else {"apart": [key], "rivals": [[block, key]], "linked": boolean}.
-- `apart` are keys that somebody split from others' in this document: their names get a key of its own, and no
-- rivals. Blocks of one key have no rivals either. With `p_whole`, and without any rival, the document is linked.
create or replace function public.docpipe_link(p_document text, p_run integer, p_names text, p_whole boolean)
returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_project text := public.docpipe_linkable(p_document, p_run);
    v_names jsonb;
    v_apart jsonb;
    v_blocks jsonb;
    v_rivals jsonb;
    v_linked boolean;
begin
    if v_project is null then
        return null;
    end if;
    perform public.docpipe_seize_project(v_project);
    select coalesce(pg_catalog.jsonb_agg(distinct n.value->>'key'), '[]') into v_apart
      from pg_catalog.jsonb_array_elements(p_names::jsonb) n
      join public.docpipe_entity_decisions d on d.project_id = v_project and d.key_a = n.value->>'key'
       and d.key_b = (n.value->>'key') || ' @' || p_document;
    select coalesce(pg_catalog.jsonb_agg(case when v_apart ? (n.value->>'key')
               then n.value || pg_catalog.jsonb_build_object(
                        'key', (n.value->>'key') || ' @' || p_document, 'blocks', '[]'::jsonb)
               else n.value end), '[]') into v_names
      from pg_catalog.jsonb_array_elements(p_names::jsonb) n;
    perform public.docpipe_put_names(p_document, p_run, v_names::text);
    select coalesce(pg_catalog.jsonb_agg(distinct b), '[]') into v_blocks
      from pg_catalog.jsonb_array_elements(v_names) n, pg_catalog.jsonb_array_elements_text(n.value->'blocks') b;
    with found as (
        select f.value, count(*) over (partition by f.value->>0) as keys
          from pg_catalog.jsonb_array_elements(public.docpipe_rivals(v_project, v_blocks::text)) f
    ) select coalesce(pg_catalog.jsonb_agg(value), '[]') into v_rivals from found where keys > 1;
    v_linked := p_whole and v_rivals = '[]' and public.docpipe_linked(p_document, p_run);
    return pg_catalog.jsonb_build_object('apart', v_apart, 'rivals', v_rivals, 'linked', v_linked);
end $$;

-- docpipe_link of all names of a run, if its project is free and nothing fails; null: it is linked later.
create or replace function public.docpipe_link_at_once(p_document text, p_run integer, p_names text) returns jsonb
language plpgsql set search_path = public, extensions as $$
declare
    v_project text;
begin
    select coalesce(project_id::text, '') into v_project
      from public.source_documents where document_uuid = p_document;
    if not pg_catalog.pg_try_advisory_xact_lock(
            pg_catalog.hashtextextended('docpipe project ' || v_project, 0)) then
        return null;
    end if;
    return public.docpipe_link(p_document, p_run, p_names, true);
exception when others then
    return null;                                               -- the results stay
end $$;

-- Writes links that were found for a run's names, and with the last of them marks it as linked.
-- False: another run holds the results to read.
create or replace function public.docpipe_link_by(p_document text, p_run integer, p_links text, p_last boolean)
returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    v_project text := public.docpipe_linkable(p_document, p_run);
begin
    if v_project is null then
        return false;
    end if;
    perform public.docpipe_put_links(v_project, p_links);
    return not p_last or public.docpipe_linked(p_document, p_run);
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
             where r.unlinked
               and (p_project is null or coalesce(d.project_id::text, '') = p_project)
               and (p_seconds is null or r.finished_at >= now() - make_interval(secs => p_seconds))
             order by r.finished_at limit p_limit) u;
$$;

-- Runs of an earlier docpipe, which did not say whether they are linked.
update public.docpipe_runs r
   set unlinked = d.docpipe_result_run = r.run and not exists (
       select 1 from public.docpipe_entity_linked l where l.document_uuid = r.document_uuid and l.run = r.run)
  from public.source_documents d
 where d.document_uuid = r.document_uuid and r.state = 'completed' and r.unlinked is null;

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
                                   pg_catalog.to_jsonb(d) - 'project_id')
                                 from decisions d), '[]'));
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

-- One step of an entity's neighbourhood: the relations that begin or end at entities of documents.
-- `p_entities` is [[document_uuid, run, index]]; answers in order, after a number of them.
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

drop function if exists public.docpipe_decide(text, text, text, boolean);
-- Records that two keys are one thing (true) or two (false), says who and why; or takes it back (null).
create or replace function public.docpipe_decide(
    p_project text, p_key_a text, p_key_b text, p_same boolean, p_who text, p_why text)
returns void
language plpgsql set search_path = public, extensions as $$
begin
    perform public.docpipe_lock_project(p_project);
    delete from public.docpipe_entity_decisions
     where project_id = p_project and key_a = p_key_a and key_b = p_key_b;
    insert into public.docpipe_entity_decisions (project_id, key_a, key_b, same, who, why)
    select p_project, p_key_a, p_key_b, p_same, p_who, p_why where p_same is not null
       and exists (select 1 from public.docpipe_entity_names where project_id = p_project and key = p_key_a)
       and exists (select 1 from public.docpipe_entity_names where project_id = p_project and key = p_key_b);
end $$;

drop function if exists public.docpipe_set_apart(text, text, boolean);
-- Gives a name a key of its own in one document, or takes it back.
-- For two documents that have the same name for two things.
create or replace function public.docpipe_set_apart(
    p_document text, p_key text, p_apart boolean, p_who text, p_why text)
returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_own text := p_key || ' @' || p_document;
    v_project text;
begin
    select project_id into v_project from public.docpipe_entity_names where document_uuid = p_document limit 1;
    perform public.docpipe_lock_project(v_project);
    update public.docpipe_entity_names set key = case when p_apart then v_own else p_key end
     where document_uuid = p_document and key = case when p_apart then p_key else v_own end;
    perform public.docpipe_decide(v_project, p_key, v_own, case when p_apart then false end, p_who, p_why);
end $$;
