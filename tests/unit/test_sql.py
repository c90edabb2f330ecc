"""The files of `sql/`: one role each, every function once, named by their time stamps."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from docpipe.cli.takeover.migrate import migrations
from docpipe.stores import ledger_rules, share_rules
from docpipe.stores.functions.store import SCHEMA_VERSION

FILES = {each.name.removeprefix("docpipe_"): each for each in migrations()}
_DEFINED = re.compile(r"^create (?:or replace )?function public\.docpipe_(\w+)\(", re.M)

HOMES = {
    "tables": [],
    "documents": [
        "set_status", "is_refusal", "refusal", "set_end", "document_status", "status_of", "known",
        "register_bytes", "register", "register_new", "register_many", "batch", "status", "select",
    ],
    "attempts": [
        "begin_attempt", "end_attempt", "lose_attempt", "fail_attempt", "stop_attempts", "attempts",
    ],
    "runs": ["cancel", "end_cancelled", "resume", "resume_run", "reprocess", "replay"],
    "stages": [
        "queue", "publish_failed", "claim", "show", "claim_with_input", "heartbeat", "retry", "fail",
        "end_failed", "fail_task",
    ],
    "ranges": [
        "is_open", "in_ranges", "is_replayable", "mirror_ranges", "hand_out", "handover", "close_range",
        "give_up_range",
        "split", "claim_range", "heartbeat_range", "finish_range", "retry_range", "fail_range",
        "fail_split_stage",
    ],
    "results": ["stage_part", "insert_rows", "finish", "finish_stage", "finish_on", "input", "excerpt"],
    "children": ["note_children", "register_children", "children_due", "own_children"],
    "recovery": ["idle", "range_idle", "oldest", "lost", "poison", "revive", "revive_range"],
    "pauses": [
        "pause", "paused", "is_paused", "hold", "release", "limit", "limits", "is_limited", "any_waits",
        "must_wait", "shares", "admit",
    ],
    "entities": [
        "lock_project", "seize_project", "linkable", "put_names", "rivals", "put_links", "prune_keys",
        "linked", "link", "link_at_once", "link_by", "unlinked",
        "ties", "keys", "members", "member", "relations_of", "decide", "set_apart",
    ],
    "search": [
        "searchable", "words", "soon_indexed", "index_pages", "index_ahead", "search", "search_vectors",
        "vectors_by",
    ],
    "webhooks": [
        "tell", "tell_batch", "add_webhook", "list_webhooks", "remove_webhook", "due_webhooks", "claim_event",
        "note_delivery", "list_deliveries", "replay_events",
    ],
    "erasure": ["delete", "expire", "forget_history", "erasures", "erased", "traces"],
    "actions": ["record_action", "list_actions"],
    "statistics": ["statistics"],
    "telemetry": ["untraced", "traced", "ended", "notify"],
    "takeover": ["adopt", "refuse_queue"],
    "version": ["schema_version"],
    "access": ["grant_worker"],
}  # fmt: skip
"""File, without stamp and prefix, to the functions that stand in it, without prefix; in their order."""


def test_every_function_is_defined_once_in_the_file_of_its_role() -> None:
    assert {name: _DEFINED.findall(file.statements) for name, file in FILES.items()} == HOMES


def test_every_function_has_a_comment_that_says_in_one_line_what_it_does() -> None:
    told = {
        found[2]: found[1].splitlines()[:1]
        for file in FILES.values()
        for found in re.finditer(rf"\n((?:--.*\n)*){_DEFINED.pattern}", file.statements, re.M)
    }
    assert [name for names in HOMES.values() for name in names] == list(told)
    assert {name: lines for name, lines in told.items() if not re.match(r"-- .*[.:]$", "".join(lines))} == {}


LEDGER = {
    *HOMES["attempts"][:-1],
    *HOMES["runs"],
    *HOMES["stages"],
    *HOMES["ranges"],
    *HOMES["recovery"],
    "is_paused",
    "hold",
    "release",
    "must_wait",
    "admit",
    "finish",
    "finish_stage",
    "tell",
    "finish_on",
    "note_children",
}


def test_every_function_of_the_ledger_names_its_rules_and_every_rule_is_named() -> None:
    named = {
        found[2]: set(found[1].split(", "))
        for file in FILES.values()
        for found in re.finditer(rf"^-- Rule: (.+)\.\n{_DEFINED.pattern}", file.statements, re.M)
    }
    rules = {
        name
        for module in (ledger_rules, share_rules)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
    }
    assert set(named) == LEDGER
    assert set().union(*named.values()) == rules


def test_every_function_pins_the_path_of_a_hosts_tables() -> None:
    heads = [
        head
        for file in FILES.values()
        for head in re.findall(rf"{_DEFINED.pattern}([^$]*)\$\$", file.statements, re.M)
    ]
    pinned = "set search_path = public, extensions as "
    assert [name for name, head in heads if not head.endswith(pinned)] == []


def test_every_statement_can_be_run_again() -> None:
    text = "\n".join(file.statements for file in FILES.values())
    made = re.findall(
        r"^create (?!or replace function|table if not exists|sequence if not exists).*", text, re.M
    )
    assert [line for line in made if not re.match(r"create (unique )?index if not exists", line)] == []
    assert re.findall(r"^ +add column (?!if not exists).*", text, re.M) == []


def test_the_last_two_files_are_the_version_and_the_access_to_everything_before() -> None:
    assert list(FILES)[-2:] == ["version", "access"]


def test_the_version_is_the_stamp_of_its_file() -> None:
    said = re.findall(r"select '(\d{14})'", FILES["version"].statements)
    assert said == [FILES["version"].version], f"set it in {FILES['version'].file_name}"
    assert said == [SCHEMA_VERSION], "set SCHEMA_VERSION in docpipe/stores/functions/store.py"


def test_nothing_but_migrations_stands_in_their_folder() -> None:
    folder = Path(__file__).parents[2] / "sql"
    assert {path.name for path in folder.iterdir()} == {each.file_name for each in FILES.values()}
