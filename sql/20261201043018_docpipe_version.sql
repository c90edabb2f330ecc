-- The schema's version. This file and docpipe_access have new time stamps whenever another file has one.

-- The version of docpipe's schema in this database: the time stamp of the file that defines this function.
create or replace function public.docpipe_schema_version() returns text
language sql immutable set search_path = public, extensions as $$ select '20261201043018'; $$;
