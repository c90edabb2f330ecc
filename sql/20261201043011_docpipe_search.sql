-- Searching text: an index of the pages of the run whose results are read, written where that run completes, and of a
-- long document shortly before.
--
-- All that a search has to know of a text is its words: what parts them is made space first, because Postgres reads
-- addresses, paths and numbers as one word each. `docpipe/stores/text_search.py` tells what a query may hold.

-- A page's text as it is searched, as long as it was: a word divided at the end of a line is put together.
create or replace function public.docpipe_searchable(p_text text) returns text
language sql immutable set search_path = public, extensions as $$
    select pg_catalog.regexp_replace(
        pg_catalog.left(p_text, 100000), '([[:alpha:]])-\n([[:alpha:]]+)', '\1\2  ', 'g');
$$;

-- The same text with a space for every character that stands between words.
create or replace function public.docpipe_words(p_text text) returns text
language sql immutable set search_path = public, extensions as $$
    select pg_catalog.regexp_replace(
        p_text, '[\u0001-\u0008\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb'
                '\u00bf\u00d7\u00f7\u2000-\u206f\u20a0-\u20cf\u2190-\u245f\u2500-\u2bff\u3000-\u3004\u3008-\u3020]',
        ' ', 'g');
$$;

-- Whether so few pages of this run are not in the index yet that a finish may do it.
create or replace function public.docpipe_soon_indexed(p_document text, p_run integer) returns boolean
language sql stable set search_path = public, extensions as $$
    select (select count(*) from public.docpipe_pages where document_uuid = p_document and run = p_run)
           <= 500 + (select count(*) from public.docpipe_page_search where document_uuid = p_document and run = p_run);
$$;

drop function if exists public.docpipe_index_pages(text, integer);  -- it had no p_limit

-- Puts pages of this run into the index, `p_limit` at most or all (null), those after the last that is there.
-- A page is sought in a part of the text, and a part in a block of it: Postgres counts characters from the first on.
create or replace function public.docpipe_index_pages(p_document text, p_run integer, p_limit integer) returns void
language plpgsql set search_path = public, extensions as $$
declare
    v_first integer;
    v_last integer;
    v_text text;
    v_block record;
    v_of_block text;
    v_part record;
    v_of_part text;
begin
    select coalesce(max(number), 0) + 1 into v_first from public.docpipe_page_search
     where document_uuid = p_document and run = p_run;
    select max(number) into v_last from (
        select number from public.docpipe_pages
         where document_uuid = p_document and run = p_run and number >= v_first order by number limit p_limit) n;
    select coalesce(r.text, '') into v_text from public.docpipe_runs r
     where r.document_uuid = p_document and r.run = p_run;
    for v_block in
        select p.start_offset / 1000000 as block, min(p.start_offset) as first, max(p.end_offset) as last
          from public.docpipe_pages p
         where p.document_uuid = p_document and p.run = p_run and p.number between v_first and v_last group by 1
    loop
        v_of_block := pg_catalog.substr(v_text, v_block.first + 1, v_block.last - v_block.first);
        for v_part in
            select p.start_offset / 25000 as part, min(p.start_offset) as first, max(p.end_offset) as last
              from public.docpipe_pages p
             where p.document_uuid = p_document and p.run = p_run and p.number between v_first and v_last
               and p.start_offset / 1000000 = v_block.block group by 1
        loop
            v_of_part := pg_catalog.substr(v_of_block, v_part.first - v_block.first + 1, v_part.last - v_part.first);
            with pages as materialized (                       -- once, and not for each of its uses
                select p.number, public.docpipe_searchable(pg_catalog.substr(
                           v_of_part, p.start_offset - v_part.first + 1, p.end_offset - p.start_offset)) as text
                  from public.docpipe_pages p
                 where p.document_uuid = p_document and p.run = p_run and p.number between v_first and v_last
                   and p.start_offset / 25000 = v_part.part
            ), parted as materialized (
                select number, text, public.docpipe_words(text) as bare from pages
            )
            insert into public.docpipe_page_search (document_uuid, run, number, text, words)
            select p_document, p_run, number, text,
                   pg_catalog.to_tsvector('pg_catalog.english', bare)
                   || pg_catalog.to_tsvector('pg_catalog.simple', bare)
              from parted;
        end loop;
    end loop;
end $$;

-- Puts some pages of a long document into the index, ahead of the finish of its last stage with this token.
-- So no call lasts long. Answers whether it is to be called again. No search finds the pages before the run has
-- completed; where an attempt dies in between, the next one goes on from there.
create or replace function public.docpipe_index_ahead(p_document text, p_run integer, p_token bigint) returns boolean
language plpgsql set search_path = public, extensions as $$
begin
    perform 1 from public.docpipe_runs
     where document_uuid = p_document and run = p_run and state = 'active' for update;
    if not found or not exists (select 1 from public.stage_runs
                                 where document_uuid = p_document and run = p_run
                                   and state = 'running' and token = p_token) then
        return false;
    end if;
    perform public.docpipe_index_pages(p_document, p_run, 500);
    return not public.docpipe_soon_indexed(p_document, p_run);
end $$;

drop function if exists public.docpipe_search(text, text, integer);  -- it had no p_any

-- The pages that hold the words, the best first, with marks (U+0002, U+0003) around what was found.
-- `p_query` is as websearch_to_tsquery takes it. Of more than 2,000 pages, 2,000 are compared. With `p_any`, a JSON list
-- of words and phrases, one of them is enough: the rarest of them, as many as lie in 2,000 pages together, are sought,
-- and each counts by how rare it is, as in BM25.
create or replace function public.docpipe_search(
    p_query text, p_project text, p_limit integer, p_any text default null
) returns jsonb
language plpgsql stable set search_path = public, extensions as $$
declare
    v_query tsquery := pg_catalog.websearch_to_tsquery('pg_catalog.english', p_query)
                       || pg_catalog.websearch_to_tsquery('pg_catalog.simple', p_query);
    v_terms tsquery[];
    v_weights double precision[];
    v_marks text := pg_catalog.format('HighlightAll=true, StartSel="%s", StopSel="%s"', chr(2), chr(3));
    v_found jsonb;
begin
    if p_any is not null then
        with counted as (
            select distinct q.term, (select count(*) from (
                       select from public.docpipe_page_search s where s.words @@ q.term limit 2000) f) as pages
              from pg_catalog.jsonb_array_elements_text(p_any::jsonb) t (words)
             cross join lateral (select pg_catalog.phraseto_tsquery('pg_catalog.english', t.words) as term) q
             where pg_catalog.numnode(q.term) > 0
        ), ranked as (
            select term, pages, greatest(max(pages) over (), (
                       select c.reltuples from pg_catalog.pg_class c
                        where c.oid = 'public.docpipe_page_search'::regclass)) as all_pages,
                   pg_catalog.row_number() over rarest as place, sum(pages) over rarest as together
              from counted window rarest as (order by pages, term)
        )
        select pg_catalog.array_agg(term), pg_catalog.array_agg(ln(1 + (all_pages - pages + 0.5) / (pages + 0.5))),
               pg_catalog.string_agg('(' || term::text || ')', ' | ')::tsquery && v_query
          into v_terms, v_weights, v_query
          from ranked where place = 1 or together <= 2000;
    end if;
    with matching as materialized (
        select s.document_uuid, s.run, s.number, d.original_file_name as name, d.project_id::text as project_id,
               s.text, s.words
          from public.docpipe_page_search s
          join public.source_documents d on d.document_uuid = s.document_uuid and d.docpipe_result_run = s.run
         where s.words @@ v_query and (p_project is null or coalesce(d.project_id::text, '') = p_project)
         limit 2000
    ), best as (
        select m.document_uuid, m.run, m.number, m.name, m.project_id, m.text,
               case when v_terms is null then pg_catalog.ts_rank_cd(m.words, v_query)
                    else (select sum(t.weight * pg_catalog.ts_rank(m.words, t.term, 1))
                            from unnest(v_terms, v_weights) t (term, weight)) end as score
          from matching m order by score desc, m.document_uuid, m.number limit p_limit
    )
    select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(p) || pg_catalog.to_jsonb(b) || pg_catalog.jsonb_build_object(
               'marked', pg_catalog.ts_headline(
                   'pg_catalog.english', public.docpipe_words(b.text), v_query, v_marks))
               order by b.score desc, b.document_uuid, b.number)
      into v_found
      from best b
      join public.docpipe_pages p on p.document_uuid = b.document_uuid and p.run = b.run and p.number = b.number;
    return coalesce(v_found, '[]');
end $$;

-- The passages whose vectors by this model are nearest to `p_vector`, a JSON list, the nearest first.
-- All vectors that count are compared, so none is missed, whatever the project: by pgvector's operator where the
-- extension is, otherwise by sums.
create or replace function public.docpipe_search_vectors(
    p_vector text, p_model text, p_project text, p_limit integer
) returns jsonb
language plpgsql stable set search_path = public, extensions as $$
declare
    v_vector real[] := array(select e::real from pg_catalog.jsonb_array_elements_text(p_vector::jsonb) e);
    v_product text := case when to_regtype('vector') is null
        then '(select pg_catalog.sum(a * b)::double precision from unnest(v.vector, $1) t (a, b))'
        else '-(v.vector::vector <#> $1::vector)' end;
    v_found jsonb;
begin
    execute pg_catalog.format($q$
        with best as (
            select v.document_uuid, v.run, v.page, v.index, v.chunk, v.start_offset as passage_start,
                   v.end_offset as passage_end, d.original_file_name as name, d.project_id::text as project_id,
                   %s as score
              from public.docpipe_vectors v
              join public.source_documents d
                on d.document_uuid = v.document_uuid and d.docpipe_result_run = v.run
             where v.model = $2 and pg_catalog.cardinality(v.vector) = pg_catalog.cardinality($1)
               and ($3 is null or coalesce(d.project_id::text, '') = $3)
             order by score desc, v.document_uuid, v.index limit $4)
        select pg_catalog.jsonb_agg(
                   pg_catalog.to_jsonb(p) || pg_catalog.to_jsonb(b) || pg_catalog.jsonb_build_object('text', s.text)
                   order by b.score desc, b.document_uuid, b.index)
          from best b
          join public.docpipe_pages p
            on p.document_uuid = b.document_uuid and p.run = b.run and p.number = b.page
          join public.docpipe_page_search s
            on s.document_uuid = b.document_uuid and s.run = b.run and s.number = b.page$q$, v_product)
      into v_found using v_vector, p_model, p_project, p_limit;
    return coalesce(v_found, '[]');
end $$;

-- How vectors are compared, in words for people.
create or replace function public.docpipe_vectors_by() returns text
language sql stable set search_path = public, extensions as $$
    select coalesce((select 'pgvector ' || e.extversion from pg_catalog.pg_extension e where e.extname = 'vector'),
                    'sums in SQL, as the extension pgvector is not there');
$$;

-- Results of an earlier docpipe, which had no such index.
select public.docpipe_index_pages(d.document_uuid, d.docpipe_result_run, null)
  from public.source_documents d
 where d.docpipe_result_run is not null
   and not exists (select 1 from public.docpipe_page_search s where s.document_uuid = d.document_uuid);
