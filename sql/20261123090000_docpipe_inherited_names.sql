-- Of two documents with the same name for two things one is deleted, or no longer says it: what had a key of its
-- own in the other is the only one of that name now. It has the name's key, and what was decided about its own.

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
                                          greatest(v_key collate "C", v_other collate "C"), v_tie.same);
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

create or replace function public.docpipe_schema_version() returns text
language sql immutable set search_path = '' as $$ select '20261123090000'; $$;
