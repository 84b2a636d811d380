"""How SQLite finds orders: by ids, numbers, dates, customers, places; never by reading all that an account has."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from backend.store import facts, fleet, orders, routes
from backend.store.database import FILE, Database
from backend.store.sqlite import statistics

MANY = [f"{n:032x}" for n in range(500)]
A = "a" * 32
DATES = ("2026-03-01", "2026-04-04")
BEHIND = ("2026-03-20", "f" * 32)

QUESTIONS: dict[str, tuple[Callable[[Connection], Any], str]] = {
    "orders by ids": (lambda c: orders.by_ids(c, A, MANY), "orders (account_id=? AND id=?)"),
    "a customer's by ids": (lambda c: orders.by_ids(c, A, MANY, "Shop"), "orders (account_id=? AND id=?)"),
    "orders by numbers": (lambda c: orders.by_numbers(c, A, MANY), "orders (account_id=? AND order_no=?)"),
    "a customer's by numbers": (
        lambda c: orders.by_numbers(c, A, MANY, "Shop"),
        "orders (account_id=? AND order_no=?)",
    ),
    "the first page": (lambda c: orders.page(c, A, *DATES, None, 501), "orders (account_id=? AND date>? AND date<?)"),
    "a page far in": (
        lambda c: orders.page(c, A, *DATES, BEHIND, 501),
        "orders (account_id=? AND (date,id)>(?,?) AND date<?)",
    ),
    "a page by status": (
        lambda c: orders.page(c, A, *DATES, BEHIND, 501, ["failed"]),
        "orders (account_id=? AND (date,id)>(?,?) AND date<?)",
    ),
    "a customer's page": (
        lambda c: orders.page(c, A, *DATES, None, 501, (), "Shop"),
        "orders (account_id=? AND customer=? AND date>? AND date<?)",
    ),
    "a customer's page far in": (
        lambda c: orders.page(c, A, *DATES, BEHIND, 501, (), "Shop"),
        "orders (account_id=? AND customer=? AND (date,id)>(?,?) AND date<?)",
    ),
    "orders of a day": (
        lambda c: orders.on_dates(c, A, *DATES),
        "orders (account_id=? AND date>? AND date<?)",
    ),
    "orders of routes": (
        lambda c: orders.on_routes(c, A, MANY),
        "orders (planned_route_id=?), orders (active_route_id=?)",
    ),
    "whether a place is in use": (lambda c: fleet.location_in_use(c, A, MANY[0]), "orders (location_id=?)"),
    "places by numbers": (
        lambda c: orders.locations_by_number(c, A, MANY),
        "locations (account_id=? AND location_no=?)",
    ),
    "a customer's places": (
        lambda c: orders.locations_by_address(c, A, MANY, "Shop"),
        "locations (account_id=? AND address=?), orders (location_id=? AND customer=?)",
    ),
    "places by ids": (lambda c: orders.locations_by_ids(c, MANY), "locations (id=?)"),
    "orders as a list": (lambda c: orders.search(c, A, None, None, "", MANY[0], 101), "orders (account_id=? AND id>?)"),
    "places as a list": (
        lambda c: fleet.all_locations(c, A, after=MANY[0], limit=101),
        "locations (account_id=? AND id>?)",
    ),
    "what happened last": (lambda c: facts.newest(c, A, 50), "facts (account_id=?)"),
    "what happened on a day": (
        lambda c: facts.newest(c, A, 50, 0, 1),
        "facts (account_id=? AND at_ms>? AND at_ms<?)",
    ),
    "what happened since": (
        lambda c: facts.since(c, A, 5, 500),
        "facts (account_id=? AND from_driver=? AND sequence>?)",
    ),
    "who is on duty": (
        lambda c: facts.duty_of(c, MANY[:25]),
        "facts (driver_id=? AND kind=?), anon_1 all, facts (driver_id=? AND kind=? AND at_ms=?)",
    ),
    "what a driver said of a route": (
        lambda c: facts.adopt(c, A, MANY[0], MANY[1], 0, 1),
        "facts (driver_id=? AND kind=? AND at_ms>? AND at_ms<?)",
    ),
    "routes by ids": (lambda c: routes.by_ids(c, A, MANY), "routes (id=?)"),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = Database.open(tmp_path_factory.mktemp("ways"))
    yield opened
    opened.close()


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_what_is_asked_for_is_found_by_an_index(database: Database, name: str) -> None:
    ask, expected = QUESTIONS[name]
    assert database.read_now(lambda conn: ways(conn, ask)) == expected


def test_whatever_lies_in_the_tables_the_ways_are_told_of_every_index(database: Database) -> None:
    statement = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index'"
    there = {tuple(row) for row in database.read_now(lambda conn: conn.execute(text(statement)).all())}
    told = {(table, index) for table, indexes in statistics.TYPICAL.items() for index in indexes}
    assert told == {(table, index) for table, index in there if table in statistics.TYPICAL}


def test_what_is_told_is_kept_and_told_anew_where_it_is_lost(tmp_path: Path) -> None:
    def known(conn: Connection) -> set[Any]:
        return set(conn.execute(text("SELECT tbl, idx, stat FROM sqlite_stat1")).all())

    for damage in (None, "DELETE FROM sqlite_stat1 WHERE tbl = 'orders'", "ANALYZE"):
        opened = Database.open(tmp_path)
        assert len(opened.read_now(known)) == sum(map(len, statistics.TYPICAL.values()))
        assert (
            opened.read_now(lambda conn: ways(conn, QUESTIONS["orders by ids"][0])) == "orders (account_id=? AND id=?)"
        )
        opened.close()
        if damage:
            other = sqlite3.connect(tmp_path / FILE)
            other.execute(damage)
            other.commit()
            other.close()


def ways(conn: Connection, ask: Callable[[Connection], Any]) -> str:
    """The tables that a question goes to, each with the part of the index that it is found by."""
    found: list[str] = []

    def explain(conn: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
            if step := re.match(r"(?:SEARCH|SCAN) (\w+)(?:.*?INDEX \w+)?(?: (\(.*\)))?$", row[3]):
                found.append(f"{step[1]} {step[2] or 'all'}")

    event.listen(conn.engine, "before_cursor_execute", explain)
    try:
        ask(conn)
    finally:
        event.remove(conn.engine, "before_cursor_execute", explain)
    return ", ".join(found)
