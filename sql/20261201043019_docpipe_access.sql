-- Who may do what: row level security on, and only `service_role` reaches docpipe's tables and
-- functions. Grants are explicit, because new Supabase projects give none (since 2026-10-30).
-- Policies and grants that another program made on source_documents and neo4j_documents stay.
--
-- This is the last file, so that it finds every table and function.

-- Gives a role the rights of a worker and no others: to work on documents that there are, and to resume them.
-- It registers what it finds inside them and nothing else, lists, cancels and deletes none, and reaches no table that is
-- not docpipe's. `p_role` is made by whoever owns the database, see docs/how-to/give-workers-less.md; a second role
-- takes the first one's place. Run by hand; later migrations give the role what newer workers need.
create or replace function public.docpipe_grant_worker(p_role text) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_table text;
    v_rights text;
    v_function regprocedure;
begin
    execute format('grant usage on schema public to %I', p_role);
    execute format('grant usage on sequence public.docpipe_token_seq to %I', p_role);
    for v_table, v_rights in values
        ('source_documents', 'select, insert, update'),
        ('neo4j_documents', 'select, insert, update'),
        ('docpipe_runs', 'select, insert, update'),
        ('stage_runs', 'select, insert, update'),
        ('docpipe_children', 'select, insert, update, delete'),
        ('docpipe_page_ranges', 'select, insert, update, delete'),
        ('docpipe_attempts', 'select, insert, update'),
        ('docpipe_staged', 'select, insert, update, delete'),
        ('docpipe_history', 'select, insert'),
        ('docpipe_pages', 'select, insert, delete'),
        ('docpipe_page_search', 'select, insert, delete'),
        ('docpipe_chunks', 'select, insert, delete'),
        ('docpipe_vectors', 'select, insert, delete'),
        ('docpipe_mentions', 'select, insert, delete'),
        ('docpipe_entities', 'select, insert, delete'),
        ('docpipe_relations', 'select, insert, delete'),
        ('docpipe_edges', 'select, insert, delete'),
        ('docpipe_facts', 'select, insert, delete'),
        ('docpipe_entity_names', 'select, insert, update, delete'),
        ('docpipe_entity_blocks', 'select, insert, delete'),
        ('docpipe_entity_links', 'select, insert, update, delete'),
        ('docpipe_entity_decisions', 'select, insert, delete'),
        ('docpipe_entity_linked', 'select, insert, update'),
        ('docpipe_erasures', 'select, update, delete'),
        ('docpipe_pauses', 'select'),
        ('docpipe_limits', 'select'),
        ('docpipe_webhooks', 'select'),
        ('docpipe_webhook_events', 'select, insert, update'),
        ('docpipe_webhook_deliveries', 'insert')
    loop
        execute format('revoke all on public.%I from %I', v_table, p_role);
        execute format('grant %s on public.%I to %I', v_rights, v_table, p_role);
        execute format('drop policy if exists docpipe_worker on public.%I', v_table);
        execute format('create policy docpipe_worker on public.%I to %I using (true) with check (true)',
                       v_table, p_role);
    end loop;
    for v_function in
        select p.oid from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\_%'
    loop
        execute format('revoke all on function %s from %I', v_function, p_role);
    end loop;
    for v_function in
        with recursive calls as (                              -- what a worker calls, and what that calls in turn
            select p.oid, p.prosrc from pg_catalog.pg_proc p
             where p.pronamespace = 'public'::regnamespace and p.proname in (
                   'docpipe_status', 'docpipe_schema_version', 'docpipe_queue', 'docpipe_publish_failed',
                   'docpipe_claim', 'docpipe_claim_with_input', 'docpipe_heartbeat', 'docpipe_stage_part',
                   'docpipe_finish_stage', 'docpipe_finish_on', 'docpipe_index_ahead', 'docpipe_link', 'docpipe_link_by',
                   'docpipe_note_children', 'docpipe_children_due',
                   'docpipe_retry', 'docpipe_fail', 'docpipe_fail_task', 'docpipe_split',
                   'docpipe_claim_range', 'docpipe_heartbeat_range', 'docpipe_finish_range',
                   'docpipe_retry_range', 'docpipe_fail_range', 'docpipe_fail_split_stage',
                   'docpipe_lost', 'docpipe_paused', 'docpipe_release',
                   'docpipe_admit', 'docpipe_revive', 'docpipe_revive_range', 'docpipe_unlinked',
                   'docpipe_put_names', 'docpipe_rivals', 'docpipe_put_links', 'docpipe_linked',
                   'docpipe_ties', 'docpipe_erasures', 'docpipe_erased',
                   'docpipe_due_webhooks', 'docpipe_claim_event', 'docpipe_note_delivery',
                   'docpipe_untraced', 'docpipe_traced')
            union
            select p.oid, p.prosrc from calls c join pg_catalog.pg_proc p
                on p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\_%'
               and c.prosrc ~ ('\m' || p.proname || '\(')
        )
        select oid from calls
    loop
        execute format('grant execute on function %s to %I', v_function, p_role);
    end loop;
end $$;

do $$
declare
    v_name text;
    v_role text;
    v_rights text;
    v_newer boolean := pg_catalog.current_setting('server_version_num')::integer >= 170000;  -- has MAINTAIN
    v_service boolean := exists (select 1 from pg_catalog.pg_roles where rolname = 'service_role');
    v_tables text[] := array[
        'source_documents', 'neo4j_documents', 'docpipe_runs', 'stage_runs', 'docpipe_page_ranges', 'docpipe_attempts',
        'docpipe_staged', 'docpipe_history', 'docpipe_pages', 'docpipe_page_search', 'docpipe_chunks',
        'docpipe_vectors', 'docpipe_mentions',
        'docpipe_entities', 'docpipe_relations', 'docpipe_edges', 'docpipe_facts', 'docpipe_children',
        'docpipe_entity_names', 'docpipe_entity_blocks', 'docpipe_entity_links', 'docpipe_entity_decisions', 'docpipe_entity_linked',
        'docpipe_former_status', 'docpipe_queue_imports', 'docpipe_erasures', 'docpipe_actions',
        'docpipe_pauses', 'docpipe_limits', 'docpipe_idempotency_keys',
        'docpipe_webhooks', 'docpipe_webhook_events', 'docpipe_webhook_deliveries'
    ];
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

    -- Supabase's older default privileges gave these two every right to each new table and sequence. Row level
    -- security hides rows, but TRUNCATE, TRIGGER and sequences do not ask it. A role that has a policy, as those of
    -- `docpipe db policies`, keeps what it may read.
    for v_role in select rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated') loop
        foreach v_name in array v_tables || array['docpipe_migrations', 'docpipe_undo'] loop
            v_rights := 'truncate, references, trigger' || case when v_newer then ', maintain' else '' end;
            if v_name not in ('source_documents', 'neo4j_documents') then
                v_rights := case when exists (
                        select 1 from pg_catalog.pg_policies p
                         where p.schemaname = 'public' and p.tablename = v_name
                           and p.roles && array[v_role, 'public']::name[])
                    then v_rights || ', insert, update, delete' else 'all' end;
            end if;
            execute format('revoke %s on public.%I from %I', v_rights, v_name, v_role);
        end loop;
        for v_name in
            select c.relname from pg_catalog.pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'S' and c.relname like 'docpipe\_%'
        loop
            execute format('revoke all on sequence public.%I from %I', v_name, v_role);
        end loop;
    end loop;

    if not v_service then
        raise notice 'docpipe: there is no role service_role here, so no grants are made';
        return;
    end if;

    foreach v_name in array v_tables loop
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

-- How long a statement may take is set for each function that may be called (its arguments are scalars, and it reads or
-- writes tables), because roles may be given much less than the end of a long document takes: on Supabase 3 s or 8 s. An
-- API by PostgREST 12.2 or newer puts it in force before it calls the function; who connects himself does that himself
-- (docpipe/stores/postgres/). A minute is the most that a Supabase project's API lets anybody have.
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\_%'
           and p.provolatile <> 'i' and p.prorettype <> 'trigger'::regtype
           and not exists (select 1 from pg_catalog.unnest(p.proargtypes) a
                             join pg_catalog.pg_type t on t.oid = a where t.typtype = 'c')
    loop
        execute format('alter function %s set statement_timeout = ''60s''', v_function);
    end loop;
end $$;

-- A role that has the rights of a worker gets those of this version's workers.
do $$
declare
    v_role text;
begin
    for v_role in
        select p.roles[1] from pg_catalog.pg_policies p
         where p.schemaname = 'public' and p.tablename = 'stage_runs' and p.policyname = 'docpipe_worker'
    loop
        perform public.docpipe_grant_worker(v_role);
    end loop;
end $$;
