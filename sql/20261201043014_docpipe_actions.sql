-- What people did by docpipe's surfaces, such as its web pages: who, what, to which document, and why.

-- Writes an action down before it is done; false: it was written before, so it is not to be done again.
create or replace function public.docpipe_record_action(p_action text) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    a jsonb := p_action::jsonb;
begin
    insert into public.docpipe_actions (id, who, action, target, project_id, why)
    values (a->>'id', a->>'who', a->>'action', a->>'target', a->>'project_id', a->>'why')
    on conflict (id) do nothing;
    return found;
end $$;

-- The newest actions, of a project if one is given, newest first.
create or replace function public.docpipe_list_actions(p_project text, p_limit integer) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(a)), '[]') from (
        select * from public.docpipe_actions
         where p_project is null or project_id = p_project
         order by at desc, id limit p_limit) a;
$$;
