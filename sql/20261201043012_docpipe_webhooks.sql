-- Webhooks: who is told of ends, what they are to be told, and what became of it.
--
-- An event is written in the transaction that makes it true. Whoever delivers claims it, as a worker claims a stage:
-- one that dies meanwhile leaves an event that is due again when its lease has lapsed.

create table if not exists public.docpipe_webhooks (
    id text primary key,
    url text not null,
    secret text not null,                                      -- signs what is sent
    events jsonb not null,                                     -- the types that are wanted
    project_id text,                                           -- null: of all projects
    created_at timestamptz not null default now()
);

create table if not exists public.docpipe_webhook_events (
    place bigint generated always as identity primary key,     -- those of one subject are delivered in this order
    id text not null unique default 'msg_' || pg_catalog.gen_random_uuid(),
    webhook_id text not null references public.docpipe_webhooks (id) on delete cascade,
    document_uuid text references public.source_documents (document_uuid) on delete cascade,
    subject text not null,                                     -- the document, or the name of the batch
    type text not null,
    data jsonb not null,
    at timestamptz not null default now(),
    state text not null default 'due' check (state in ('due', 'delivered', 'given_up')),
    attempt integer not null default 0,
    due_at timestamptz not null default now(),                 -- while somebody delivers it: when that lease lapses
    settled_at timestamptz
);
create index if not exists docpipe_webhook_events_due_idx on public.docpipe_webhook_events (webhook_id, due_at)
    where state = 'due';
create index if not exists docpipe_webhook_events_order_idx
    on public.docpipe_webhook_events (webhook_id, subject, place) where state = 'due';
create index if not exists docpipe_webhook_events_webhook_idx on public.docpipe_webhook_events (webhook_id, place);
create index if not exists docpipe_webhook_events_document_idx on public.docpipe_webhook_events (document_uuid);
create index if not exists docpipe_webhook_events_settled_idx on public.docpipe_webhook_events (settled_at);

-- One row for each try.
create table if not exists public.docpipe_webhook_deliveries (
    id bigint generated always as identity primary key,
    event_id text not null references public.docpipe_webhook_events (id) on delete cascade,
    attempt integer not null,
    at timestamptz not null default clock_timestamp(),
    seconds double precision not null,
    status integer,                                            -- of the answer; null: there was none
    error text
);
create index if not exists docpipe_webhook_deliveries_event_idx on public.docpipe_webhook_deliveries (event_id);

-- Writes what is to be told of a document's end, and of its batch's where no other document is at work.
-- Rule: event.
create or replace function public.docpipe_tell(p_document text, p_run integer, p_status text) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_type text := case when p_status in ('completed', 'completed_with_warnings', 'cancelled')
                        then 'document.' || p_status
                        when pg_catalog.starts_with(p_status, 'error_') then 'document.failed' end;
    v_data jsonb;
    v_project text;
begin
    if v_type is null or not exists (select 1 from public.docpipe_webhooks) then
        return;
    end if;
    select d.project_id::text, pg_catalog.jsonb_build_object(
               'document_uuid', p_document, 'run', p_run, 'status', p_status, 'name', d.original_file_name,
               'project_id', d.project_id::text, 'batch', r.batch, 'stage', s.stage, 'error_code', s.error_code)
      into v_project, v_data
      from public.source_documents d
      join public.docpipe_runs r on r.document_uuid = d.document_uuid and r.run = p_run
      left join public.stage_runs s on s.document_uuid = d.document_uuid and s.run = p_run and s.state = 'failed'
     where d.document_uuid = p_document;
    insert into public.docpipe_webhook_events (webhook_id, document_uuid, subject, type, data)
    select w.id, p_document, p_document, v_type, v_data from public.docpipe_webhooks w
     where w.events ? v_type and coalesce(w.project_id = v_project, w.project_id is null);
    if v_data->>'batch' is not null then
        perform public.docpipe_tell_batch(v_data->>'batch', v_project);
    end if;
end $$;

-- Writes that the project's documents of a batch have ended, if they have.
-- Ends of one batch wait for each other here: of two at once, the second sees the first.
create or replace function public.docpipe_tell_batch(p_batch text, p_project text) returns void
language plpgsql set search_path = public, extensions as $$
begin
    if not exists (select 1 from public.docpipe_webhooks w where w.events ? 'batch.completed'
                    and coalesce(w.project_id = p_project, w.project_id is null)) then
        return;
    end if;
    perform pg_catalog.pg_advisory_xact_lock(
        pg_catalog.hashtextextended('docpipe_batch ' || p_batch, pg_catalog.hashtext(coalesce(p_project, ''))));
    if exists (select 1 from public.docpipe_runs r join public.source_documents d using (document_uuid)
                where r.batch = p_batch and r.state = 'active'
                  and d.project_id::text is not distinct from p_project) then
        return;
    end if;
    insert into public.docpipe_webhook_events (webhook_id, subject, type, data)
    select w.id, p_batch, 'batch.completed', pg_catalog.jsonb_build_object(
               'batch', p_batch, 'project_id', p_project, 'documents', (
               select pg_catalog.jsonb_object_agg(f.status, f.documents) from (
                   select public.docpipe_status_of(d) as status, count(*) as documents
                     from public.source_documents d
                    where d.project_id::text is not distinct from p_project and d.document_uuid in (
                              select r.document_uuid from public.docpipe_runs r where r.batch = p_batch)
                    group by 1) f))
      from public.docpipe_webhooks w
     where w.events ? 'batch.completed' and coalesce(w.project_id = p_project, w.project_id is null);
end $$;

-- Adds a webhook; a second time, nothing.
create or replace function public.docpipe_add_webhook(p_webhook text) returns void
language sql set search_path = public, extensions as $$
    insert into public.docpipe_webhooks (id, url, secret, events, project_id)
    select w->>'id', w->>'url', w->>'secret', w->'events', w->>'project_id' from (select p_webhook::jsonb as w) f
    on conflict (id) do nothing;
$$;

-- All webhooks, or those of a project, oldest first.
create or replace function public.docpipe_list_webhooks(p_project text) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(w) order by w.created_at, w.id), '[]')
      from public.docpipe_webhooks w where p_project is null or w.project_id = p_project;
$$;

-- Removes a webhook with its events and their log; false: there was none.
create or replace function public.docpipe_remove_webhook(p_id text) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    delete from public.docpipe_webhooks where id = p_id;
    return found;
end $$;

-- The webhooks that have something due.
create or replace function public.docpipe_due_webhooks() returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(w.id order by w.id), '[]') from public.docpipe_webhooks w
     where exists (select 1 from public.docpipe_webhook_events e
                    where e.webhook_id = w.id and e.state = 'due' and e.due_at <= now());
$$;

-- Claims the event of a webhook that is due longest, for one try; null: none is due.
-- An event waits for those of the same subject before it, delivered or given up.
create or replace function public.docpipe_claim_event(p_webhook text, p_lease_seconds double precision)
returns jsonb
language sql set search_path = public, extensions as $$
    with next as (
        select e.place from public.docpipe_webhook_events e
         where e.webhook_id = p_webhook and e.state = 'due' and e.due_at <= now()
           and not exists (select 1 from public.docpipe_webhook_events o
                            where o.webhook_id = e.webhook_id and o.subject = e.subject
                              and o.state = 'due' and o.place < e.place)
         order by e.due_at, e.place limit 1
           for update skip locked
    )
    update public.docpipe_webhook_events e
       set attempt = e.attempt + 1, due_at = now() + make_interval(secs => p_lease_seconds)
      from next, public.docpipe_webhooks w
     where e.place = next.place and w.id = e.webhook_id
    returning pg_catalog.to_jsonb(e) || pg_catalog.jsonb_build_object('url', w.url, 'secret', w.secret);
$$;

-- Notes how a try went. Where it failed: when to try again, or null to give up. False: another has claimed it since.
create or replace function public.docpipe_note_delivery(
    p_event text, p_attempt integer, p_delivery text, p_again_seconds double precision
) returns boolean
language plpgsql set search_path = public, extensions as $$
declare
    d jsonb := p_delivery::jsonb;
    v_state text := case when d->>'error' is null then 'delivered' when p_again_seconds is null then 'given_up'
                         else 'due' end;
begin
    update public.docpipe_webhook_events
       set state = v_state, settled_at = case when v_state <> 'due' then now() end,
           due_at = now() + make_interval(secs => coalesce(p_again_seconds, 0))
     where id = p_event and attempt = p_attempt and state = 'due';
    if not found then
        return false;
    end if;
    insert into public.docpipe_webhook_deliveries (event_id, attempt, seconds, status, error)
    values (p_event, p_attempt, (d->>'seconds')::double precision, (d->>'status')::integer, d->>'error');
    return true;
end $$;

-- The newest tries of a webhook, newest first.
create or replace function public.docpipe_list_deliveries(p_webhook text, p_limit integer) returns jsonb
language sql stable set search_path = public, extensions as $$
    select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f) - 'id' order by f.id desc), '[]') from (
        select t.id, e.id as event_id, e.type, e.subject, e.state, t.attempt, t.at, t.seconds, t.status, t.error
          from public.docpipe_webhook_deliveries t
          join public.docpipe_webhook_events e on e.id = t.event_id
         where e.webhook_id = p_webhook order by t.id desc limit p_limit) f;
$$;

-- Makes events of a webhook due again that were delivered or given up; of one event alone if `p_event` is given.
-- `p_selection`: {"since": time, "given_up": whether only those}. Returns how many.
create or replace function public.docpipe_replay_events(p_webhook text, p_event text, p_selection text)
returns integer
language plpgsql set search_path = public, extensions as $$
declare
    w jsonb := p_selection::jsonb;
    v_replayed integer;
begin
    update public.docpipe_webhook_events
       set state = 'due', attempt = 0, due_at = now(), settled_at = null
     where webhook_id = p_webhook and state <> 'due' and (p_event is null or id = p_event)
       and (w->>'since' is null or at >= (w->>'since')::timestamptz)
       and (state = 'given_up' or not (w->>'given_up')::boolean);
    get diagnostics v_replayed = row_count;
    return v_replayed;
end $$;
