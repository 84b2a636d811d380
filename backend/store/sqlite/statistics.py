"""What SQLite is told of the tables' sizes, so that it chooses its ways by what a large account is like.

Without statistics it takes ten rows for what an account has, and rather reads a million orders than look five hundred
up by their ids. It could gather statistics itself, but then a way would change from one day to the next, and at first,
when everything is empty, would be chosen as badly. So they are fixed: ten companies with a hundred thousand orders
each, and what goes with that. Each text is the rows of the table and then, for one more of the index's columns at a
time, how many rows share their values.
"""

from sqlalchemy import Connection

TYPICAL = {
    "orders": {
        "sqlite_autoindex_orders_1": "1000000 1",
        "sqlite_autoindex_orders_2": "1000000 1",
        "orders_by_account": "1000000 100000 1",
        "orders_by_number": "1000000 100000 1",
        "orders_by_date": "1000000 100000 300 1",
        "orders_by_customer": "1000000 100000 50000 100 1",
        "orders_by_location": "1000000 10 10",
        "orders_by_planned_route": "1000000 30",
        "orders_by_active_route": "1000000 30",
    },
    "locations": {
        "sqlite_autoindex_locations_1": "100000 1",
        "locations_by_account": "100000 10000 1",
        "locations_by_number": "100000 10000 1",
        "locations_by_address": "100000 10000 1",
    },
    "drivers": {
        "sqlite_autoindex_drivers_1": "1000 1",
        "drivers_by_external_id": "1000 100 1",
        "drivers_by_serial": "1000 100 1",
    },
    "vehicles": {
        "sqlite_autoindex_vehicles_1": "1000 1",
        "vehicles_by_external_id": "1000 100 1",
        "vehicles_by_registration": "1000 100 1",
    },
    "routes": {
        "sqlite_autoindex_routes_1": "30000 1",
        "sqlite_autoindex_routes_2": "30000 3000 10 1",
    },
    "facts": {
        "sqlite_autoindex_facts_1": "5000000 500000 5000 1",
        "facts_in_order_of_arrival": "5000000 500000 1",
        "facts_for_events": "5000000 500000 400000 1",
        "facts_by_order": "5000000 5 1",
        "facts_by_route": "5000000 100 1",
        "facts_by_driver": "5000000 5000 600 1",
        "facts_by_time": "5000000 500000 1",
    },
}


def tell(connection: Connection) -> None:
    """Give the statistics to the file, and to this connection; those that are opened later read them there."""
    rows = {(table, index, text) for table, indexes in TYPICAL.items() for index, text in indexes.items()}
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # makes the table where it is not there
    known = connection.exec_driver_sql("SELECT tbl, idx, stat FROM sqlite_stat1").all()
    if {tuple(row) for row in known} != rows:
        connection.exec_driver_sql("DELETE FROM sqlite_stat1")
        connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", sorted(rows))
        connection.exec_driver_sql("ANALYZE sqlite_schema")
    connection.commit()
