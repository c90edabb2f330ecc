# ruff: noqa: E501 - SQL
"""The schema `public` of a database as Postgres's catalogue has it, and how two of them differ."""

from __future__ import annotations

import psycopg

Catalogue = dict[str, str]
"""Name of an object (`column stage_runs.state`) to all that is said of it."""

_ACL = """(select coalesce(string_agg(
        case x.grantee when 0 then 'public' else x.grantee::regrole::text end || ':' || x.privilege_type
        || case when x.is_grantable then '*' else '' end, ' ' order by x.grantee::regrole::text, x.privilege_type),
        'nobody')
   from aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) x)"""


def _acl(kind: str, acl: str, owner: str) -> str:
    return _ACL.format(kind=kind, acl=acl, owner=owner)


_OBJECTS = f"""
with relation as (select * from pg_class where relnamespace = 'public'::regnamespace)
select 'schema ' || nspname, {_acl("n", "nspacl", "nspowner")}
  from pg_namespace where nspname = 'public'
union all
select case c.relkind when 'r' then 'table ' when 'v' then 'view ' else 'relation ' end || c.relname,
       concat_ws('; ', concat('kind ', c.relkind), concat('row security ', c.relrowsecurity, c.relforcerowsecurity),
                 concat('options ', c.reloptions), concat('comment ', obj_description(c.oid, 'pg_class')),
                 case when c.relkind = 'v' then pg_get_viewdef(c.oid) end, {_acl("r", "c.relacl", "c.relowner")})
  from relation c where c.relkind not in ('i', 'I', 'S')
union all
select 'column ' || c.relname || '.' || a.attname,
       concat_ws('; ', concat('number ', a.attnum), format_type(a.atttypid, a.atttypmod), concat('not null ', a.attnotnull),
                 concat('default ', pg_get_expr(d.adbin, d.adrelid)), concat('identity ', a.attidentity),
                 concat('generated ', a.attgenerated), concat('collation ', a.attcollation::regcollation),
                 concat('comment ', col_description(c.oid, a.attnum)), concat('grants ', a.attacl))
  from pg_attribute a join relation c on c.oid = a.attrelid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where c.relkind not in ('i', 'I', 'S') and a.attnum > 0 and not a.attisdropped
union all
select 'constraint ' || o.conname || ' on ' || c.relname,
       concat_ws('; ', pg_get_constraintdef(o.oid), concat('validated ', o.convalidated))
  from pg_constraint o join relation c on c.oid = o.conrelid
union all
select 'index ' || c.relname, concat_ws('; ', pg_get_indexdef(c.oid), concat('valid ', x.indisvalid))
  from pg_index x join relation c on c.oid = x.indexrelid
union all
select 'sequence ' || c.relname,
       concat_ws('; ', format_type(s.seqtypid, null), concat('start ', s.seqstart), concat('step ', s.seqincrement),
                 concat('from ', s.seqmin), concat('to ', s.seqmax), concat('cycle ', s.seqcycle),
                 concat('of ', d.refobjid::regclass, '.', d.refobjsubid), {_acl("S", "c.relacl", "c.relowner")})
  from pg_sequence s join relation c on c.oid = s.seqrelid
  left join pg_depend d on d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
union all
select 'function ' || p.oid::regprocedure,
       concat_ws('; ', case when p.prokind in ('f', 'p') then pg_get_functiondef(p.oid) else p.prokind::text end,
                 concat('comment ', obj_description(p.oid, 'pg_proc')), {_acl("f", "p.proacl", "p.proowner")})
  from pg_proc p where p.pronamespace = 'public'::regnamespace
union all
select 'policy ' || policyname || ' on ' || tablename,
       concat_ws('; ', permissive, roles::text, cmd, concat('using ', qual), concat('check ', with_check))
  from pg_policies where schemaname = 'public'
union all
select 'trigger ' || t.tgname || ' on ' || c.relname,
       concat_ws('; ', pg_get_triggerdef(t.oid), concat('enabled ', t.tgenabled))
  from pg_trigger t join relation c on c.oid = t.tgrelid where not t.tgisinternal
union all
select 'rule ' || r.rulename || ' on ' || c.relname, pg_get_ruledef(r.oid)
  from pg_rewrite r join relation c on c.oid = r.ev_class
union all
select 'type ' || t.typname,
       concat_ws('; ', t.typtype::text, pg_catalog.format_type(nullif(t.typbasetype, 0), t.typtypmod),
                 (select string_agg(e.enumlabel, ', ' order by e.enumsortorder)
                    from pg_enum e where e.enumtypid = t.oid))
  from pg_type t where t.typnamespace = 'public'::regnamespace and t.typtype in ('d', 'e', 'r')
"""


def catalogue(connection: psycopg.Connection) -> Catalogue:
    """Tables, columns, constraints, indexes, sequences, functions, policies, triggers, and who may do what."""
    with connection.transaction():
        connection.execute("set local search_path = ''")  # so that every definition names its schemas
        found = connection.execute(_OBJECTS.encode()).fetchall()
        connection.execute("set local search_path to default")
    return {name.replace("public.", ""): told for name, told in found}


def differences(expected: Catalogue, found: Catalogue) -> list[str]:
    """One line for each object that is missing, that should not be there, or that is not the same."""
    lacking = [f"{name}: missing" for name in expected.keys() - found.keys()]
    more = [f"{name}: not expected" for name in found.keys() - expected.keys()]
    other = [
        f"{name}: {found[name]} instead of {expected[name]}"
        for name in expected.keys() & found.keys()
        if expected[name] != found[name]
    ]
    return sorted([*lacking, *more, *other])
