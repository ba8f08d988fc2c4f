"""The tables of ``node.db``, as migrations in their order.

A migration that was released is never edited: a change is a new one.
"""

from typing import Final

from sqlite_utils import Database, Migrations

from node.store.calibrations import CALIBRATION_TABLES
from node.store.code_extensions import CODE_EXTENSION_TABLES
from node.store.deletions import DELETION_TABLES
from node.store.devices import DEVICE_TABLES
from node.store.hits import HIT_TABLES
from node.store.keys import KEY_TABLES
from node.store.knowledge import KNOWLEDGE_TABLES
from node.store.ledger import LEDGER_TABLES
from node.store.operator_log import OPERATOR_LOG_TABLES, chain_entries
from node.store.presence_batch import PRESENCE_TABLES
from node.store.quarantine import QUARANTINE_DESK_TABLES, ROW_FORM
from node.store.rule_runs import RUN_TABLES
from node.store.superseded import SUPERSEDED_TABLES
from node.store.template_rows import TEMPLATE_TABLES
from node.store.tree import TREE_TABLES

__all__ = ["MIGRATIONS"]

MIGRATIONS: Final = Migrations("node")

_RECORD_TABLES: Final = (
    # Records that are durable but not yet in a segment: Arrow IPC sealed by the vault.
    """create table staged(
        id integer primary key autoincrement,
        kind text not null,
        month integer not null,
        rows integer not null,
        body blob not null
    ) strict""",
    """create table segment(
        name text primary key,
        kind text not null,
        month integer not null,
        rows integer not null,
        sha256 blob not null,
        wrapped_key blob not null,
        bytes integer not null
    ) strict""",
)
_FIRST_TABLES: Final = (
    # Every message and foreign row that was taken in, once. accepted: null while pending.
    """create table message(
        msgid text primary key,
        infno text not null,
        institution text not null,
        month integer not null,
        accepted integer,
        request_digest blob not null,
        response_digest blob
    ) strict, without rowid""",
    # Whole messages that wait for their response, sealed by the vault.
    """create table pending(
        msgid text primary key references message(msgid),
        body blob not null
    ) strict""",
    *_RECORD_TABLES,
    # Keyed by the SHA-256 of the refused line: the same line makes no second row.
    """create table quarantine(
        digest blob primary key,
        source text not null,
        line integer not null,
        msgid text not null,
        infno text not null,
        rule text not null,
        field text not null,
        value text not null,
        reason text not null,
        mend text not null,
        seen_at text not null,
        body blob
    ) strict""",
    """create table institution(
        code text primary key,
        name text not null,
        level text not null,
        type text not null,
        division text not null,
        is_foreign integer not null,
        namespace text not null,
        foreign_code text not null
    ) strict""",
    """create unique index institution_foreign on institution(namespace, foreign_code)
       where is_foreign = 1""",
    """create table source(
        name text not null,
        bytes integer not null,
        lines integer not null,
        finished_at text not null,
        primary key(name, bytes, lines)
    ) strict""",
    "create table setting(key text primary key, value text not null) strict",
)


_COPY_MESSAGES: Final = """insert into message
    select institution, infno, msgid, month, accepted, request_digest, response_digest
    from old_message where infno <> 'csv'"""
_COPY_PENDING: Final = """insert into pending
    select institution, infno, msgid, body from old_pending join old_message using(msgid)"""
_TAKEN_BACK = """create table taken_back(settlement blob primary key) strict, without rowid"""
"""Settlements that were taken back, by the digest of their setl_id."""


@MIGRATIONS(name="0001_first_tables")
def _first_tables(database: Database) -> None:
    for statement in _FIRST_TABLES:
        database.execute(statement)


@MIGRATIONS(name="0002_taken_back")
def _taken_back(database: Database) -> None:
    database.execute(_TAKEN_BACK)


@MIGRATIONS(name="0003_desk")
def _desk(database: Database) -> None:
    for statement in (*OPERATOR_LOG_TABLES, *CODE_EXTENSION_TABLES):
        database.execute(statement)


@MIGRATIONS(name="0004_quarantine_desk")
def _quarantine_desk(database: Database) -> None:
    for statement in QUARANTINE_DESK_TABLES:
        database.execute(statement)
    database.execute("update quarantine set form = ? where infno = 'csv'", (ROW_FORM,))


@MIGRATIONS(name="0005_keys_and_leaves")
def _keys_and_leaves(database: Database) -> None:
    """Know messages by institution, transaction and msgid; records by their keys and leaves.

    Records that have no number yet wait in tables of their own for ``node.store.upgrade``. Rows
    of mapped files were in the ledger under the transaction ``csv``: their records' keys know
    them now.
    """
    for name in ("message", "pending", "segment", "staged"):
        database.execute(f"alter table {name} rename to old_{name}")
    for statement in (
        *LEDGER_TABLES,
        *_RECORD_TABLES,
        *KEY_TABLES,
        *DELETION_TABLES,
        *TREE_TABLES,
        _COPY_MESSAGES,
        _COPY_PENDING,
        "drop table old_pending",
        "drop table old_message",
    ):
        database.execute(statement)


@MIGRATIONS(name="0006_rules")
def _rules(database: Database) -> None:
    for statement in (*RUN_TABLES, *HIT_TABLES, *KNOWLEDGE_TABLES):
        database.execute(statement)


@MIGRATIONS(name="0007_superseded")
def _superseded(database: Database) -> None:
    for statement in SUPERSEDED_TABLES:
        database.execute(statement)


@MIGRATIONS(name="0008_operator_chain")
def _operator_chain(database: Database) -> None:
    connection = database.conn
    chain_entries(connection.execute, connection.execute)


@MIGRATIONS(name="0009_devices")
def _devices(database: Database) -> None:
    for statement in DEVICE_TABLES:
        database.execute(statement)


@MIGRATIONS(name="0010_templates")
def _templates(database: Database) -> None:
    for statement in TEMPLATE_TABLES:
        database.execute(statement)


@MIGRATIONS(name="0011_presence")
def _presence(database: Database) -> None:
    for statement in PRESENCE_TABLES:
        database.execute(statement)


@MIGRATIONS(name="0012_calibrations")
def _calibrations(database: Database) -> None:
    for statement in CALIBRATION_TABLES:
        database.execute(statement)
