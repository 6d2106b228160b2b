"""Statements for hot paths: Django builds their SQL once, each run only brings values.

Building a query costs the ORM ten to forty times what the database needs to answer it; a meter value touches
five. Where that is not measured to hurt, use the ORM: these skip signals, defaults of the database and
everything else that a plain row does not need.
"""

import uuid
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar, cast

from django.db import connection
from django.db.models import Field, Model, QuerySet
from django.db.models.query import get_related_populators

Row = TypeVar("Row", bound=Model)

# Values that stand for a parameter while Django builds the SQL; no row and no constant has them.
_STAND_INS: dict[type, Callable[[int], Any]] = {
    int: lambda n: 2_100_961_000 + n,
    str: lambda n: f"\x01parameter {n}",
    uuid.UUID: lambda n: uuid.UUID(int=(0xE3AB1E5 << 96) + n),
}


class Prepared(Generic[Row]):
    """The first row of a query whose shape is always the same.

    `build` gets one keyword per parameter and returns the query set; `kinds` names their types (int, str,
    UUID). What the query leaves out comes back left out: an order only where `build` asks for one.
    """

    def __init__(self, build: Callable[..., QuerySet[Row]], **kinds: type) -> None:
        self._build = build
        self._kinds = kinds
        self._plans: dict[str, _Plan[Row]] = {}

    def first(self, **values: Any) -> Row | None:
        """Run the query. A query that locks rows must run inside a transaction, as in the ORM."""
        plan = self._plans.get(connection.vendor)
        if plan is None:
            plan = self._plans[connection.vendor] = _Plan(self._build, self._kinds)
        return plan.first(values)


class _Plan(Generic[Row]):
    """The SQL for one kind of database, and how a row of it becomes objects."""

    def __init__(self, build: Callable[..., QuerySet[Row]], kinds: dict[str, type]) -> None:
        stand_ins = {name: _STAND_INS[kind](n) for n, (name, kind) in enumerate(kinds.items())}
        query = build(**stand_ins)
        if not query.query.order_by:
            query = query.order_by()
        compiler: Any = query[:1].query.get_compiler(connection=connection)
        self.sql, parameters = compiler.as_sql()
        by_value = {_value(stand_in): name for name, stand_in in stand_ins.items()}
        self._parameters = [(by_value.get(each), each) for each in parameters]
        self._converters = list(compiler.get_converters([each[0] for each in compiler.select]).items())
        info = compiler.klass_info
        first, last = info["select_fields"][0], info["select_fields"][-1]
        self._model: type[Row] = info["model"]
        self._own = slice(first, last + 1)
        self._names = [each[0].target.attname for each in compiler.select[self._own]]
        # The stubs describe a newer Django, where this takes one more argument.
        self._populators = get_related_populators(info, compiler.select, connection.alias)  # type: ignore[call-arg]

    def first(self, values: dict[str, Any]) -> Row | None:
        parameters = [_value(values[name]) if name else constant for name, constant in self._parameters]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            found = cursor.fetchone()
        if found is None:
            return None
        row = list(found)
        for place, (converters, expression) in self._converters:
            for convert in converters:
                row[place] = convert(row[place], expression, connection)
        made: Row = self._model.from_db(connection.alias, self._names, row[self._own])
        for populator in self._populators:
            populator.populate(row, made)
        return made


def _value(value: Any) -> Any:
    if isinstance(value, uuid.UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value


def insert(row: Model) -> None:
    """Store a new row, and give it its primary key when the database makes it. Raises IntegrityError."""
    _insert(row, "")


def insert_if_new(row: Model) -> bool:
    """Store a row unless one of its unique keys is taken; returns whether it was stored.

    For models whose primary key the database makes.
    """
    return _insert(row, " ON CONFLICT DO NOTHING")


def _insert(row: Model, otherwise: str) -> bool:
    sql, fields = _insertion(type(row), row.pk is None, otherwise)
    with connection.cursor() as cursor:
        cursor.execute(sql, _stored(row, fields))
        if row.pk is None:
            made = cursor.fetchone()
            if made is None:
                return False
            row.pk = made[0]
    row._state.adding = False
    row._state.db = connection.alias
    return True


def update(row: Model, names: Sequence[str]) -> None:
    """Write these fields of a row. Raises the model's DoesNotExist when it is gone."""
    if not _update(row, names, ""):
        raise type(row).DoesNotExist(str(row.pk))  # type: ignore[attr-defined]


def update_while_null(row: Model, null: str, names: Sequence[str]) -> bool:
    """Write these fields of a row if the field `null` is NULL in the database; returns whether it was."""
    return _update(row, names, null)


def _update(row: Model, names: Sequence[str], null: str) -> bool:
    sql, fields = _updating(type(row), tuple(names), null)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*_stored(row, fields), _value(row.pk)])
        return bool(cursor.rowcount)


def _stored(row: Model, fields: "tuple[Field[Any, Any], ...]") -> list[Any]:
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]


@cache
def _insertion(
    model: type[Model], key_is_made: bool, otherwise: str
) -> "tuple[str, tuple[Field[Any, Any], ...]]":
    key = model._meta.pk
    fields = tuple(f for f in model._meta.concrete_fields if not (key_is_made and f is key))
    columns = ", ".join(_quoted(field) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    returning = f" RETURNING {_quoted(key)}" if key_is_made else ""
    table = connection.ops.quote_name(model._meta.db_table)
    return f"INSERT INTO {table} ({columns}) VALUES ({places}){otherwise}{returning}", fields  # noqa: S608  (names of models)


@cache
def _updating(
    model: type[Model], names: tuple[str, ...], null: str
) -> "tuple[str, tuple[Field[Any, Any], ...]]":
    fields = tuple(cast("Field[Any, Any]", model._meta.get_field(name)) for name in names)
    columns = ", ".join(f"{_quoted(field)} = %s" for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    key = _quoted(model._meta.pk)
    condition = f" AND {_quoted(model._meta.get_field(null))} IS NULL" if null else ""
    return f"UPDATE {table} SET {columns} WHERE {key} = %s{condition}", fields  # noqa: S608  (names of models)


def _quoted(field: Any) -> str:
    return connection.ops.quote_name(field.column)
