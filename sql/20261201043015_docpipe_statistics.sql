-- Counts for `docpipe monitor`, `docpipe health` and `docpipe metrics`.

-- All counts in one round trip.
-- `p_window_seconds` is how far back ends, failures and quantiles reach, `p_limit` the most running stages
-- and failed attempts that are listed; of one that is read in ranges, each of these that somebody reads. A stage whose worker fell silent, and whose message was sent again, waits: in
-- words, and by no function, which each row would call.
create or replace function public.docpipe_statistics(p_window_seconds double precision, p_limit integer)
returns jsonb
language sql stable set search_path = public, extensions as $$
    with turn as (                                             -- the stage whose turn it is, of each active run
        select s.stage, s.position, case when s.state = 'running' and s.waits_since is not null
                                              and s.lease_expires_at < now() then 'queued' else s.state end as state,
               greatest(0.0, extract(epoch from now() - coalesce(s.waits_since, s.queued_at))) as age
          from public.stage_runs s join public.docpipe_runs r using (document_uuid, run)
         where s.state in ('queued', 'running', 'retrying') and s.queued_at is not null and r.state = 'active'
        union all                                              -- never sent
        select s.stage, s.position, s.state, greatest(0.0, extract(epoch from now() - r.created_at))
          from public.source_documents d
          join public.docpipe_runs r on r.document_uuid = d.document_uuid and r.run = d.docpipe_run
          join lateral (select * from public.stage_runs o
                         where o.document_uuid = r.document_uuid and o.run = r.run and o.state <> 'complete'
                         order by o.position limit 1) s on true
         where d.celery_status = 'pending' and r.state = 'active' and s.queued_at is null
    ), ended as (                  -- a reprocessed run holds copies of older stages, a first run has none
        select s.stage, s.position, s.state, s.error_code, s.error_class,
               extract(epoch from s.finished_at - s.started_at)::double precision as seconds,
               greatest(0.0, extract(epoch from s.started_at - s.queued_at))::double precision as wait,
               s.queued_at is not null as waited
          from public.stage_runs s                             -- no join: it would read all runs there ever were
         where s.finished_at >= now() - make_interval(secs => p_window_seconds)
           and (s.run = 1 or s.finished_at >= (select r.created_at from public.docpipe_runs r
                                                where r.document_uuid = s.document_uuid and r.run = s.run))
           and s.state in ('complete', 'failed')
    ), turns as (
        select stage, min(position) as position,
               count(*) filter (where state = 'queued') as waiting,
               count(*) filter (where state = 'retrying') as retrying,
               count(*) filter (where state = 'running') as running,
               max(age) filter (where state in ('queued', 'retrying')) as oldest_waiting_seconds
          from turn group by stage
    ), ends as (
        select stage, min(position) as position,
               count(*) filter (where state = 'complete') as completed,
               count(*) filter (where state = 'failed') as failed,
               percentile_cont(0.5) within group (order by seconds)
                   filter (where state = 'complete') as p50_seconds,
               percentile_cont(0.95) within group (order by seconds)
                   filter (where state = 'complete') as p95_seconds,
               percentile_cont(0.5) within group (order by wait)
                   filter (where state = 'complete' and waited) as wait_p50_seconds,
               percentile_cont(0.95) within group (order by wait)
                   filter (where state = 'complete' and waited) as wait_p95_seconds
          from ended group by stage
    )
    select pg_catalog.jsonb_build_object(
        'documents', coalesce((
            select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)) from (
                select coalesce(c.refused, public.docpipe_document_status(
                           c.celery_status::text, c.initial_processing_status::text)) as status,
                       c.project_id::text as project_id, sum(c.documents)::bigint as documents
                  from (select celery_status, initial_processing_status, project_id, null as refused,
                               count(*) as documents                     -- in an index, no row is read
                          from public.source_documents group by 1, 2, 3
                        union all                                        -- the few that were refused: not there but here
                        select d.celery_status, d.initial_processing_status, d.project_id, k.refused, k.documents
                          from public.docpipe_runs r
                          join public.source_documents d
                            on d.document_uuid = r.document_uuid and d.docpipe_run = r.run
                         cross join lateral (values (null, -1), (r.refused, 1)) k (refused, documents)
                         where r.refused is not null) c
                 group by 1, 2 having sum(c.documents) > 0 order by 1, 2) f), '[]'),
        'stages', coalesce((
            select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f) - 'position' order by f.position, f.stage) from (
                select stage, coalesce(t.position, e.position) as position,
                       coalesce(waiting, 0) as waiting, coalesce(retrying, 0) as retrying,
                       coalesce(running, 0) as running, oldest_waiting_seconds,
                       coalesce(completed, 0) as completed, coalesce(failed, 0) as failed,
                       p50_seconds, p95_seconds, wait_p50_seconds, wait_p95_seconds
                  from turns t full join ends e using (stage)) f), '[]'),
        'running', coalesce((
            select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)) from (
                select s.document_uuid, s.run, d.original_file_name as name, s.stage, g.first_page, g.last_page,
                       coalesce(g.attempt, s.attempt) as attempt, coalesce(g.worker, s.worker) as worker,
                       extract(epoch from now() - coalesce(g.started_at, s.started_at)) as running_seconds,
                       extract(epoch from coalesce(g.lease_expires_at, s.lease_expires_at) - now()) as lease_seconds
                  from public.stage_runs s
                  join public.docpipe_runs r using (document_uuid, run)
                  join public.source_documents d using (document_uuid)
                  left join public.docpipe_page_ranges g on g.document_uuid = s.document_uuid and g.run = s.run
                                                        and g.stage = s.stage and g.state = 'running'
                 where s.state = 'running' and r.state = 'active' and (s.waits_since is null or s.lease_expires_at >= now())
                   and (g.run is null or g.queued_at <= g.lease_expires_at)
                 order by coalesce(g.lease_expires_at, s.lease_expires_at), g.first_page limit p_limit) f), '[]'),
        'failures', coalesce((
            select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)) from (
                select stage, coalesce(error_code, '') as code, coalesce(error_class, '') as error_class,
                       count(*) as failures
                  from ended where state = 'failed' group by 1, 2, 3 order by 4 desc, 1, 2, 3) f), '[]'),
        'failed_attempts', coalesce((
            select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f) - 'token' order by f.ago_seconds, f.token desc) from (
                select a.document_uuid, a.run, d.original_file_name as name, a.stage, a.first_page, a.last_page,
                       a.attempt, a.worker, a.ended,
                       extract(epoch from a.ended_at - a.started_at) as worked_seconds,
                       extract(epoch from now() - a.ended_at) as ago_seconds,
                       coalesce(a.error_code, '') as code, coalesce(a.error_message, '') as message, a.token
                  from public.docpipe_attempts a join public.source_documents d using (document_uuid)
                 where a.ended in ('retried', 'failed', 'lost')
                   and a.ended_at >= now() - make_interval(secs => p_window_seconds)
                 order by a.ended_at desc, a.token desc limit p_limit) f), '[]'),
        'completed', (
            select count(*) from public.docpipe_runs
             where state = 'completed' and finished_at >= now() - make_interval(secs => p_window_seconds)),
        'quarantined', (
            select count(*) from public.stage_runs s
              join public.source_documents d on d.document_uuid = s.document_uuid and d.docpipe_run = s.run
             where s.state = 'failed' and s.error_code = 'poison'));
$$;
