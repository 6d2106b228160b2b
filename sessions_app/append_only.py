"""Rows that are evidence: the database itself refuses to change or to delete them, whoever asks.

Triggers on both databases, put in place by migrations. They cost an insert nothing. TRUNCATE on PostgreSQL, and
removing the triggers on purpose, need a hand at the database; that is where this protection ends.

SQLite loses a table's triggers when a later migration rebuilds the table (nearly every change of a column or
a constraint does): such a migration calls `append_only` again, and a test fails until it does.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import migrations

REFUSAL = "this row is evidence: it is never changed or deleted"

# 23000: Django raises IntegrityError on both databases.
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION emabler_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = '23000', MESSAGE = '{REFUSAL} (' || TG_TABLE_NAME || ')'; END $$
"""


def append_only(table: str, *, columns: Sequence[str] = (), once: Sequence[str] = ()) -> migrations.RunPython:
    """Return the operation that seals a table: no row of it is deleted or changed any more.

    `columns` limits the refusal of changes to these; `once` may be set while they are NULL, never after.
    """

    def put(apps: Any, editor: Any) -> None:
        drop(apps, editor)
        if editor.connection.vendor == "postgresql":
            editor.execute(_FUNCTION)
        for statement in _triggers(editor.connection.vendor, table, columns, once):
            editor.execute(statement)

    def drop(apps: Any, editor: Any) -> None:
        on = f" ON {table}" if editor.connection.vendor == "postgresql" else ""
        for name in names(table, once):
            editor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")

    return migrations.RunPython(put, drop, elidable=False)


def names(table: str, once: Sequence[str] = ()) -> list[str]:
    """Return the names of a sealed table's triggers."""
    return [f"{table}_no_delete", f"{table}_no_update", *(f"{table}_{column}_once" for column in once)]


def _triggers(vendor: str, table: str, columns: Sequence[str], once: Sequence[str]) -> Iterator[str]:
    of = f" OF {', '.join(columns)}" if columns else ""
    events = [
        ("DELETE", ""),
        (f"UPDATE{of}", ""),
        *((f"UPDATE OF {c}", f"OLD.{c} IS NOT NULL") for c in once),
    ]
    for name, (event, when) in zip(names(table, once), events, strict=True):
        if vendor == "postgresql":
            condition = f" WHEN ({when})" if when else ""
            body = "EXECUTE FUNCTION emabler_refuse()"
        else:
            condition = f" WHEN {when}" if when else ""
            body = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL} ({table})'); END"
        yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW{condition} {body}"
