-- Who may do what: row level security on, and only `service_role` reaches docpipe's tables and
-- functions. Grants are explicit, because new Supabase projects give none (since 2026-10-30).
-- Policies and grants that another program made on source_documents and neo4j_documents stay.

do $$
declare
    v_table text;
    v_function text;
    v_role text;
begin
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role') then
        raise notice 'docpipe: there is no role service_role here, so no grants are made';
        return;
    end if;

    foreach v_table in array array[
        'source_documents', 'neo4j_documents', 'docpipe_runs', 'stage_runs', 'docpipe_staged',
        'docpipe_history', 'docpipe_pages', 'docpipe_chunks', 'docpipe_mentions', 'docpipe_entities',
        'docpipe_relations', 'docpipe_edges'
    ] loop
        execute format('alter table public.%I enable row level security', v_table);
        execute format('grant select, insert, update, delete on public.%I to service_role', v_table);
        if not exists (select 1 from pg_catalog.pg_policies
                        where schemaname = 'public' and tablename = v_table
                          and policyname = 'docpipe_service_role') then
            execute format('create policy docpipe_service_role on public.%I '
                           'to service_role using (true) with check (true)', v_table);
        end if;
    end loop;
    grant usage on schema public to service_role;
    grant usage on all sequences in schema public to service_role;

    for v_function in
        select p.oid::regprocedure::text from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\_%'
    loop
        execute format('revoke all on function %s from public', v_function);
        execute format('grant execute on function %s to service_role', v_function);
        for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke all on function %s from %I', v_function, v_role);
        end loop;
    end loop;
end $$;
