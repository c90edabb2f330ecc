"""The stack is what docpipe's other tests take it for: a Supabase project and a Redis, for real."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil
import psycopg
import pytest
import redis
from postgrest.exceptions import APIError
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

from tests.stack import Stack, StackError
from tests.stack.redis_server import RedisServer
from tests.stack.server import still_alive
from tests.stack.stack import REPOSITORY

DAY = "2026-03-01T12:00:00.123456+00:00"
TABLES = """
create table public.letters (id int primary key, written timestamptz default '2026-03-01 13:00:00.123456+01');
alter table public.letters enable row level security;
grant select, insert, delete on public.letters to service_role;
create table public.unshared (id int primary key);
alter table public.unshared enable row level security;
create function public.measure(p_data text) returns jsonb language sql set search_path = '' as
$$ select jsonb_build_object('type', jsonb_typeof(p_data::jsonb), 'md5', md5(p_data)) $$;
revoke execute on function public.measure from public;
grant execute on function public.measure to service_role;
"""
DROP = "drop table public.letters, public.unshared; drop function public.measure"


@pytest.fixture(scope="module")
def letters(stack: Stack) -> Iterator[None]:
    """Two tables and a function that are only ours; the API learns of them by a restart."""
    _execute(stack, TABLES)
    stack.api.restart()
    yield
    stack.mend()
    _execute(stack, DROP)
    stack.api.restart()


@pytest.fixture
def service(stack: Stack, letters: None, database: str) -> Iterator[Client]:
    """A client with the secret key, over empty tables."""
    with _client(stack, stack.api.secret_key) as client:
        yield client


@pytest.fixture
def anonymous(stack: Stack, letters: None, database: str) -> Iterator[Client]:
    """A client with the publishable key."""
    with _client(stack, stack.api.publishable_key) as client:
        yield client


def test_the_secret_key_writes_and_reads(service: Client) -> None:
    service.table("letters").insert({"id": 1}).execute()
    (row,) = _rows(service.table("letters").select("*"))
    assert (row["id"], datetime.fromisoformat(row["written"])) == (1, datetime.fromisoformat(DAY))


def test_timestamps_come_back_in_utc(service: Client) -> None:
    (row,) = _rows(service.table("letters").insert({"id": 1}))
    assert datetime.fromisoformat(row["written"]).tzinfo == UTC


def test_each_test_finds_empty_tables(service: Client) -> None:
    assert _rows(service.table("letters").select("*")) == []


@pytest.mark.parametrize("call", ["select", "insert", "rpc"])
def test_the_publishable_key_is_refused(anonymous: Client, call: str) -> None:
    requests: dict[str, Callable[[], object]] = {
        "select": lambda: anonymous.table("letters").select("*").execute(),
        "insert": lambda: anonymous.table("letters").insert({"id": 1}).execute(),
        "rpc": lambda: anonymous.rpc("measure", {"p_data": "{}"}).execute(),
    }
    with pytest.raises(APIError, match="permission denied"):
        requests[call]()


def test_a_wrong_key_is_refused(stack: Stack, service: Client) -> None:
    with _client(stack, "sb_secret_wrong") as client, pytest.raises(APIError, match="Invalid API key"):
        client.table("letters").select("*").execute()


def test_a_grant_that_a_migration_forgot_is_missed(service: Client) -> None:
    with pytest.raises(APIError, match="permission denied for table unshared"):
        service.table("unshared").select("*").execute()


@pytest.mark.parametrize(
    "value",
    [{"a": [1, {"b": None}]}, [1, "two"], "text", 5, None, {"ä\u2028": "\"quoted' \\ \n \U0001f600"}],
    ids=["object", "array", "string", "number", "null", "unicode"],
)
@pytest.mark.parametrize("ascii_only", [True, False], ids=["ascii", "utf8"])
def test_json_in_a_text_argument_of_rpc_arrives_byte_for_byte(
    service: Client, value: object, ascii_only: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert service.rpc("measure", {"p_data": text}).execute().data == _measured(text)


def test_a_text_argument_of_20_megabytes_arrives(service: Client) -> None:
    text = json.dumps({"text": "x" * (20 << 20)})
    assert service.rpc("measure", {"p_data": text}).execute().data == _measured(text)


def test_a_select_is_capped_at_1000_rows_and_ranges_reach_the_rest(service: Client) -> None:
    letters = service.table("letters")
    letters.insert([{"id": number} for number in range(2500)]).execute()
    ordered = letters.select("id").order("id")
    assert len(_rows(ordered)) == 1000
    assert [row["id"] for row in _rows(ordered.range(2000, 2999))] == list(range(2000, 2500))


def test_storage_keeps_what_is_uploaded(service: Client) -> None:
    service.storage.create_bucket("letters")
    bucket = service.storage.from_("letters")
    bucket.upload("2026/one.txt", b"\x00bytes\xff")
    assert bucket.download("2026/one.txt") == b"\x00bytes\xff"


def test_redis_is_set_up_as_a_broker(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        settings = client.config_get("appendonly") | client.config_get("maxmemory-policy")
    assert settings == {"appendonly": "yes", "maxmemory-policy": "noeviction"}


def test_redis_keeps_what_it_acknowledged_when_it_is_killed(stack: Stack, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.rpush("queue", "message")
    stack.redis.kill()
    stack.redis.start()
    with redis.Redis.from_url(redis_url) as client:
        assert client.lrange("queue", 0, -1) == [b"message"]


def test_postgres_keeps_what_it_committed_when_it_is_killed(stack: Stack, service: Client) -> None:
    service.table("letters").insert({"id": 1}).execute()
    stack.postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(stack.postgres.url, connect_timeout=2)
    stack.postgres.start()
    stack.api.restart()
    assert _rows(service.table("letters").select("id")) == [{"id": 1}]


def test_a_killed_api_refuses_and_a_started_one_answers(stack: Stack, service: Client) -> None:
    stack.api.kill()
    with pytest.raises(httpx.ConnectError):
        httpx.get(stack.api.url)
    stack.api.start()
    assert _rows(service.table("letters").select("*")) == []


def test_a_paused_server_keeps_silent_until_it_is_resumed(stack: Stack, redis_url: str) -> None:
    stack.redis.pause()
    impatient = redis.Redis.from_url(redis_url, socket_timeout=0.2, retry=None)
    with impatient, pytest.raises(redis.TimeoutError):
        impatient.ping()
    stack.redis.resume()
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_an_empty_database_has_the_roles_and_no_table(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        tables = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
        roles = connection.execute(
            "select rolname from pg_roles where rolbypassrls and not rolsuper"
        ).fetchall()
    assert (tables, roles) == ((0,), [("service_role",)])


@pytest.mark.parametrize("rows", [3, 5000])
def test_emptied_tables_have_no_row_and_count_from_one(stack: Stack, database: str, rows: int) -> None:
    fill = "insert into public.lists select generate_series, repeat('x', 100) from generate_series(1, %s)"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table public.lists (id int primary key, text text, place bigserial)")
        connection.execute("create table public.lines (list int references public.lists)")
        try:
            connection.execute(fill, (rows,))
            connection.execute("insert into public.lines values (1)")
            stack.postgres.empty()
            connection.execute(fill, (1,))
            assert connection.execute("select id, place from public.lists").fetchall() == [(1, 1)]
            assert connection.execute("select * from public.lines").fetchall() == []
        finally:
            connection.execute("drop table public.lists, public.lines")


def test_stop_leaves_no_process_and_no_data(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        processes = _processes(stack)
    assert (still_alive(processes, 0), list(tmp_path.glob("*/data"))) == ([], [])
    assert not stack.running


def test_a_killed_starter_leaves_no_process(tmp_path: Path) -> None:
    program = f"from tests.stack import Stack\nwith Stack({str(tmp_path)!r}): print(flush=True); input()"
    starter = subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert starter.stdout
    assert starter.stdout.readline() == b"\n"
    processes = _processes(Stack(tmp_path))
    os.kill(starter.pid, signal.SIGKILL)
    starter.communicate()
    assert still_alive(processes, 30) == []


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path, stack: Stack) -> None:
    server = RedisServer(tmp_path, stack.redis.port, "secret")
    with pytest.raises(StackError, match=r"redis ended at its start[\s\S]*[Aa]ddress already in use"):
        server.start()


def test_the_commands_start_describe_and_end_one_stack(tmp_path: Path) -> None:
    up = _command("up", tmp_path)
    again = _command("up", tmp_path)
    status = _command("status", tmp_path)
    down = _command("down", tmp_path)
    ended = _command("env", tmp_path)
    assert [up.returncode, status.returncode, down.returncode, ended.returncode] == [0, 0, 0, 1]
    assert ended.stderr == "The stack does not run. Run: make stack\n"
    assert up.stdout == again.stdout
    names = [line.removeprefix("export ").partition("=")[0] for line in up.stdout.splitlines()]
    assert names == ["SUPABASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_DB_URL", "REDIS_URL"]


class Query(Protocol):
    """What supabase-py's query builders have in common."""

    def execute(self) -> Any: ...


def _rows(query: Query) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = query.execute().data
    return rows


@contextmanager
def _client(stack: Stack, key: str) -> Iterator[Client]:
    with httpx.Client(timeout=60) as connections:
        yield create_client(stack.api.url, key, SyncClientOptions(httpx_client=connections))


def _execute(stack: Stack, query: str) -> None:
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(query.encode())


def _measured(text: str) -> dict[str, str]:
    names = {dict: "object", list: "array", str: "string", int: "number", type(None): "null"}
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return {"type": names[type(json.loads(text))], "md5": digest}


def _processes(stack: Stack) -> list[psutil.Process]:
    mains = [psutil.Process(server.pid) for server in stack.servers if server.pid]
    assert len(mains) == 3
    return mains + [child for main in mains for child in main.children(recursive=True)]


def _command(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.stack", name, "--dir", str(folder)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
