-- What a date or an amount says: ISO 8601, or an ISO 4217 code and a number.

alter table public.docpipe_mentions add column if not exists value text;

create or replace function public.docpipe_schema_version() returns text
language sql immutable set search_path = '' as $$ select '20261122140000'; $$;
