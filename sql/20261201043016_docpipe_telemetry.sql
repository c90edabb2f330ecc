-- What happened, for other systems that keep traces and counts: read from attempts, so it is there whoever died.

-- Runs that ended in the last `p_seconds` and were not traced since, oldest first.
-- Each with the attempts since it was last traced, and the trace of the run before it.
create or replace function public.docpipe_untraced(p_seconds double precision, p_limit integer) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(f.run order by f.finished_at), '[]') from (
        select r.finished_at, pg_catalog.jsonb_build_object(
                   'document_uuid', r.document_uuid, 'run', r.run, 'state', r.state, 'name', d.original_file_name,
                   'project_id', d.project_id::text, 'trace_parent', r.trace_parent, 'created_at', r.created_at,
                   'finished_at', r.finished_at, 'traced_until', r.traced_until,
                   'earlier', (select e.trace_parent from public.docpipe_runs e
                                where e.document_uuid = r.document_uuid and e.run = r.run - 1),
                   'attempts', (select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(a) order by a.token), '[]')
                                  from public.docpipe_attempts a
                                 where a.document_uuid = r.document_uuid and a.run = r.run
                                   and a.ended_at is not null
                                   and a.started_at >= coalesce(r.traced_until, r.created_at))) as run
          from public.docpipe_runs r join public.source_documents d using (document_uuid)
         where r.finished_at > now() - make_interval(secs => p_seconds)
           and r.traced_until is distinct from r.finished_at
         order by r.finished_at limit p_limit) f;
$$;

-- Says that a run was traced until it ended at `p_until`; false: it has gone on since.
create or replace function public.docpipe_traced(p_document text, p_run integer, p_until text) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    update public.docpipe_runs set traced_until = finished_at
     where document_uuid = p_document and run = p_run and finished_at = p_until::timestamptz;
    return found;
end $$;

-- How many attempts ended after `p_after` and until `p_lag_seconds` ago, by stage, end, code and length, with the newest.
-- The newest is one whose run was submitted in a trace, if there are any.
-- Transactions that begin to end an attempt may be seen late: the lag waits for them. `p_bounds` is a JSON list of seconds, in
-- order; `bucket` is how many of them an attempt exceeds. With null for `p_after`: none, only `until`, to go on from.
create or replace function public.docpipe_ended(p_after text, p_lag_seconds double precision, p_bounds text)
returns jsonb
language sql stable set search_path = public, extensions as $$
    with look as (
        select p_after::timestamptz as after, now() - make_interval(secs => p_lag_seconds) as until
    ), ended as (
        select a.stage, a.ended, coalesce(a.error_code, '') as code, a.token, a.ended_at, a.document_uuid,
               r.trace_parent, extract(epoch from a.ended_at - a.started_at)::double precision as seconds
          from look, public.docpipe_attempts a join public.docpipe_runs r using (document_uuid, run)
         where a.ended_at > look.after and a.ended_at <= look.until
    ), sorted as (
        select e.*, (select count(*) from pg_catalog.jsonb_array_elements_text(p_bounds::jsonb) b
                      where b::double precision < e.seconds) as bucket
          from ended e
    )
    select pg_catalog.jsonb_build_object('until', greatest(look.until, look.after), 'ended', coalesce((
               select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)) from (
                   select stage, ended, code, bucket, count(*) as attempts, sum(seconds) as seconds,
                          (pg_catalog.array_agg(pg_catalog.jsonb_build_object(
                               'document_uuid', document_uuid, 'trace_parent', trace_parent, 'seconds', seconds,
                               'ended_at', ended_at) order by trace_parent is null, ended_at desc, token desc)
                          )[1] as newest
                     from sorted group by 1, 2, 3, 4 order by 1, 2, 3, 4) f), '[]'))
      from look;
$$;

-- Notifies who listens to docpipe_status of each status, in the transaction that writes it.
-- Nothing calls it until somebody makes it a trigger of docpipe_history, see docs/how-to/tell-others.md: transactions that
-- notify commit one after the other.
create or replace function public.docpipe_notify() returns trigger
language plpgsql set search_path = public, extensions as $$
begin
    perform pg_catalog.pg_notify('docpipe_status', pg_catalog.jsonb_build_object(
        'document_uuid', new.document_uuid, 'run', new.run, 'status', new.status)::text);
    return null;
end $$;
