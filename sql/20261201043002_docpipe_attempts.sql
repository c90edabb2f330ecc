-- Attempts: one row for each claim of a stage or a range, which says how it ended.

-- Notes that an attempt begins, after a claim. The one before it, if it never ended, was lost.
-- Rule: lost.
create or replace function public.docpipe_begin_attempt(
    p_document text, p_run integer, p_stage text, p_first_page integer, p_last_page integer, p_attempt integer,
    p_token bigint, p_task_id text, p_worker text
) returns void
language sql set search_path = public, extensions as $$
    insert into public.docpipe_attempts (
        document_uuid, run, stage, first_page, last_page, attempt, token, task_id, worker)
    values (p_document, p_run, p_stage, p_first_page, p_last_page, p_attempt, p_token, p_task_id, p_worker)
    on conflict (token) do nothing;
$$;

-- Notes how an attempt ended; what was noted before stays. `e`: the error, if there was one.
-- Rule: ended.
create or replace function public.docpipe_end_attempt(p_token bigint, p_ended text, e jsonb) returns void
language sql set search_path = public, extensions as $$
    update public.docpipe_attempts
       set ended = case when e->>'code' = 'cancelled' then 'cancelled' else p_ended end, ended_at = now(),
           error_code = e->>'code', error_class = e->>'error_class',
           error_message = e->>'message', error_traceback = e->>'traceback'
     where token = p_token and ended is null;
$$;

-- Notes that an attempt was lost: its lease lapsed, and it never said how it ended.
-- Rule: lost.
create or replace function public.docpipe_lose_attempt(p_token bigint, p_lapsed timestamptz) returns void
language sql set search_path = public, extensions as $$
    update public.docpipe_attempts
       set ended = 'lost', ended_at = least(now(), coalesce(p_lapsed, now())),
           error_code = 'worker_lost', error_class = 'WorkerLostError', error_traceback = '',
           error_message = 'Its worker stopped without a word, or was cut off: the lease lapsed.'
     where token = p_token and ended is null;
$$;

-- Notes the end of an attempt whose row failed for good: of poison, that it was lost.
-- Rule: ended, lost.
create or replace function public.docpipe_fail_attempt(p_token bigint, p_lapsed timestamptz, e jsonb) returns void
language plpgsql set search_path = public, extensions as $$
begin
    if e->>'code' = 'poison' then
        perform public.docpipe_lose_attempt(p_token, p_lapsed);
    else
        perform public.docpipe_end_attempt(p_token, 'failed', e);
    end if;
end $$;

-- Notes that the run was over, `p_ended`, before the document's open attempts had ended.
-- Rule: ended.
create or replace function public.docpipe_stop_attempts(p_document text, p_ended text) returns void
language sql set search_path = public, extensions as $$
    update public.docpipe_attempts set ended = p_ended, ended_at = now()
     where document_uuid = p_document and ended is null;
$$;

-- The newest attempts at a document, in all its runs, oldest first.
create or replace function public.docpipe_attempts(p_document text, p_limit integer) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(found) order by token), '[]') from (
        select * from public.docpipe_attempts where document_uuid = p_document
         order by token desc limit p_limit) found;
$$;
