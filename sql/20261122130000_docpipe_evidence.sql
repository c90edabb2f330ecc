-- Why spellings are one entity, and what a relation's text says.

alter table public.docpipe_entities
    add column if not exists merges jsonb;                     -- [[rule, score, mention, mention], …]

alter table public.docpipe_relations
    add column if not exists verb text,                        -- the words of RELATED_TO
    add column if not exists count integer;                    -- how many places say so

-- The newest migration of docpipe that this database has had; each migration defines it anew.
create or replace function public.docpipe_schema_version() returns text
language sql immutable set search_path = '' as $$ select '20261122130000'; $$;
