"""Skills and vehicle features: codes with names, of which two may have the same code."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from backend.domain.drivers import Code, CodeKind
from backend.store.parts import parts
from backend.store.tables import skills, vehicle_features

_TABLES = {CodeKind.SKILL: skills, CodeKind.VEHICLE_FEATURE: vehicle_features}


def names(conn: Connection, account_id: str, kind: CodeKind) -> dict[str, str]:
    """Code → name, of all."""
    table = _TABLES[kind]
    return {row.code: row.name for row in conn.execute(select(table).where(table.c.account_id == account_id))}


def counts(conn: Connection, account_id: str, kind: CodeKind, wanted: Iterable[str]) -> dict[str, int]:
    """How many there are with each of these codes, none named twice; a code that nothing has is not in it."""
    table = _TABLES[kind]
    found: dict[str, int] = {}
    for part in parts(wanted):
        chosen = (table.c.account_id == account_id) & table.c.code.in_(part)
        rows = conn.execute(select(table.c.code, func.count().label("many")).where(chosen).group_by(table.c.code))
        found |= {row.code: row.many for row in rows}
    return found


def page(conn: Connection, account_id: str, kind: CodeKind, after: str, limit: int) -> list[Code]:
    """By id, behind ``after``."""
    table = _TABLES[kind]
    chosen = (table.c.account_id == account_id) & (table.c.id > after)
    rows = conn.execute(select(table.c.id, table.c.code, table.c.name).where(chosen).order_by(table.c.id).limit(limit))
    return [Code(row.id, row.code, row.name) for row in rows]


def add(conn: Connection, account_id: str, kind: CodeKind, added: Iterable[Code]) -> None:
    rows = [{"account_id": account_id, **msgspec.structs.asdict(each)} for each in added]
    if rows:
        conn.execute(insert(_TABLES[kind]), rows)


def rename(conn: Connection, account_id: str, kind: CodeKind, changed: Mapping[str, str]) -> None:
    """Code → new name; of all that have the code."""
    table = _TABLES[kind]
    for code, name in changed.items():
        chosen = (table.c.account_id == account_id) & (table.c.code == code)
        conn.execute(update(table).where(chosen).values(name=name))


def remove(conn: Connection, account_id: str, kind: CodeKind, code_id: str) -> bool:
    table = _TABLES[kind]
    chosen = (table.c.account_id == account_id) & (table.c.id == code_id)
    return conn.execute(delete(table).where(chosen)).rowcount > 0
