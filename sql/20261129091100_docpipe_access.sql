-- Who may do what: row level security on, and only `service_role` reaches docpipe's tables and
-- functions. Grants are explicit, because new Supabase projects give none (since 2026-10-30).
-- Policies and grants that another program made on source_documents and neo4j_documents stay.
--
-- This is the last file, so that it finds every table and function.

do $$
declare
    v_name text;
    v_role text;
    v_service boolean := exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role');
begin
    for v_name in
        select p.oid::regprocedure::text from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\_%'
    loop
        execute format('revoke all on function %s from public', v_name);
        for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke all on function %s from %I', v_name, v_role);
        end loop;
        if v_service then
            execute format('grant execute on function %s to service_role', v_name);
        end if;
    end loop;

    if not v_service then
        raise notice 'docpipe: there is no role service_role here, so no grants are made';
        return;
    end if;

    foreach v_name in array array[
        'source_documents', 'neo4j_documents', 'docpipe_runs', 'stage_runs', 'docpipe_page_ranges',
        'docpipe_staged', 'docpipe_history', 'docpipe_pages', 'docpipe_chunks', 'docpipe_mentions',
        'docpipe_entities', 'docpipe_relations', 'docpipe_edges', 'docpipe_entity_names',
        'docpipe_entity_blocks', 'docpipe_entity_links', 'docpipe_entity_decisions', 'docpipe_entity_linked',
        'docpipe_former_status', 'docpipe_queue_imports'
    ] loop
        execute format('alter table public.%I enable row level security', v_name);
        execute format('grant select, insert, update, delete on public.%I to service_role', v_name);
        if not exists (select 1 from pg_catalog.pg_policies
                        where schemaname = 'public' and tablename = v_name
                          and policyname = 'docpipe_service_role') then
            execute format('create policy docpipe_service_role on public.%I '
                           'to service_role using (true) with check (true)', v_name);
        end if;
    end loop;
    grant usage on schema public to service_role;
    grant usage on all sequences in schema public to service_role;

    -- For `docpipe db` alone, which connects as their owner.
    alter table public.docpipe_migrations enable row level security;
    alter table public.docpipe_undo enable row level security;
end $$;
