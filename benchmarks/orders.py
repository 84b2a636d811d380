"""Do orders cost the same in an account with a million of them as in one with ten thousand?

Two servers, both real processes, each on a database with as many orders, filled straight through the store. In both,
7,000 orders lie within the 35 days that are searched, 200 a day, on routes; all others lie outside. The same questions
go to one and the other in turn. For each: the median of the answers' times and the processor time of the server for one
answer, both in milliseconds, and the ratio of the processor times, which is what the other orders cost. The aims are
for the larger account, on a quiet machine.

    python benchmarks/orders.py [--sizes 10000,1000000] [--rounds 30] [--databases postgresql://…,postgresql://…]

On PostgreSQL the processor time is that of our own process alone.
"""

import argparse
import asyncio
import http.client
import itertools
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from backend.domain.accounts import Account, Office, Role, Settings
from backend.domain.drivers import Driver
from backend.domain.orders import Location, Order, TimeWindow
from backend.domain.routes import Route, Stop
from backend.service.identity import digest
from backend.store import fleet, orders, people, routes
from backend.store.database import Connection, Database
from backend.store.journal import Journal
from backend.store.orders import Record
from backend.store.routes import RouteRecord
from benchmarks._servers import processor_s, serving

FIRST = date(2026, 3, 1)
DAYS, A_DAY, BULK = 35, 200, 500
DRIVERS = 4
ACCOUNT = Account("a" * 32, "Benchmark", Settings())
AIMS_MS = {"create 500 new orders": 150.0, "get 500 by number": 60.0}
BATCH = 20_000
AT_MS = 1_767_000_000_000

Body = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", default="10000,1000000", help="orders in the two accounts")
    options.add_argument("--rounds", type=int, default=30, help="of each question, in turn")
    options.add_argument("--databases", help="postgresql://… of two empty databases, in place of files")
    asked = options.parse_args()
    logging.disable(logging.WARNING)  # filling is slow, and says so
    sizes = [int(size) for size in asked.sizes.split(",")]
    with tempfile.TemporaryDirectory() as root, ExitStack() as servers:
        folders = [Path(root) / str(size) for size in sizes]
        urls = asked.databases.split(",") if asked.databases else [""] * len(sizes)
        for size, folder, url in zip(sizes, folders, urls, strict=True):
            began = time.monotonic()
            asyncio.run(fill(url or folder, size))
            print(f"filled with {size:,} orders in {time.monotonic() - began:.0f} s")
        one, other = (
            Client(*servers.enter_context(serving(folder, CODRIVER_DATABASE_URL=url, CODRIVER_LOG_LEVEL="ERROR")))
            for folder, url in zip(folders, urls, strict=True)
        )
        compare(one, other, asked.rounds, *(f"{size:,} orders" for size in sizes))


def compare(one: "Client", other: "Client", rounds: int, *names: str) -> None:
    print(f"\nmedian of {rounds} answers, and processor time for one, in milliseconds")
    print(f"{'':34} {names[0]:>18} {names[1]:>18}   ratio of processor time")
    for name, ask in QUESTIONS.items():
        walls: list[list[float]] = [[], []]
        used = [0.0, 0.0]
        for account in (one, other):
            ask(account)  # warms up, and finds the pages
        for _ in range(rounds):
            for index, account in enumerate((one, other)):
                before, began = processor_s(account.pid), time.perf_counter()
                ask(account)
                walls[index].append((time.perf_counter() - began) * 1000)
                used[index] += processor_s(account.pid) - before
        medians = [statistics.median(each) for each in walls]
        costs = [each / rounds * 1000 for each in used]
        aim = AIMS_MS.get(name)
        verdict = f"   (aim {aim:.0f} ms: {'reached' if medians[1] <= aim else 'missed'})" if aim else ""
        columns = "  ".join(f"{wall:7.1f} ({cost:6.1f})" for wall, cost in zip(medians, costs, strict=True))
        print(f"{name:34}  {columns}   {costs[1] / max(costs[0], 0.001):5.2f}{verdict}")


class Client:
    """An account on its server. Orders' numbers are ``O`` and seven digits; those within the range come first."""

    def __init__(self, port: int, pid: int) -> None:
        self.pid = pid
        self.fresh = itertools.count()
        self.tags: dict[str, str] = {}
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, method: str, body: Body, key: str = "tenant") -> Body:
        self._line.request("POST", f"/v1/{method}?key={key}", json.dumps(body))
        answer: Body = json.loads(self._line.getresponse().read())
        if not answer.get("success"):
            raise SystemExit(f"refused: {answer}")
        return answer

    def page(self, pages: int, **fields: Any) -> Body:
        """The page behind so many others; these are read the first time only."""
        body = {"dateRange": {"from": str(FIRST), "to": str(FIRST + timedelta(DAYS - 1))}, **fields}
        name = f"{pages} {sorted(fields)}"
        if pages and name not in self.tags:
            answer = self.call("search_orders", body)
            for _ in range(pages - 1):
                answer = self.call("search_orders", body | {"after_tag": answer["after_tag"]})
            self.tags[name] = answer["after_tag"]
        return self.call("search_orders", body | ({"after_tag": self.tags[name]} if pages else {}))


def create(client: Client) -> None:
    first = next(client.fresh) * BULK
    client.call("create_or_update_orders", {"orders": [new_order(first + number) for number in range(BULK)]})


def named(client: Client) -> Body:
    return {"orders": [{"orderNo": f"O{number:07}"} for number in range(0, DAYS * A_DAY, DAYS * A_DAY // BULK)][:BULK]}


LAST_PAGE = DAYS * A_DAY // BULK - 1
EVERYTHING = {"includeOrderData": True, "includeScheduleInformation": True}
RARE = {"orderStatus": ["failed"]}
QUESTIONS: dict[str, Callable[[Client], Any]] = {
    "create 500 new orders": create,
    "get 500 by number": lambda client: client.call("get_orders", named(client)),
    "search: the first page": lambda client: client.page(0),
    "search: the last page": lambda client: client.page(LAST_PAGE),
    "search: first page, with all data": lambda client: client.page(0, **EVERYTHING),
    "search: last page, with all data": lambda client: client.page(LAST_PAGE, **EVERYTHING),
    "search: a rare status": lambda client: client.page(0, **RARE),
    "search: a status that none has": lambda client: client.page(0, orderStatus=["rejected"]),
    "search: a customer's own": lambda client: client.call(
        "search_orders", {"dateRange": {"from": str(FIRST), "to": str(FIRST + timedelta(DAYS - 1))}}, "customer"
    ),
    "search: 500 names": lambda client: client.call("search_orders", named(client)),
    "search: 500 names of the range": lambda client: client.page(0, **named(client)),
    "search: a range without orders": lambda client: client.call(
        "search_orders", {"dateRange": {"from": "2099-01-01", "to": "2099-02-01"}}
    ),
}


def new_order(number: int) -> Body:
    place = {
        "locationNo": f"N{number:07}",
        "locationName": f"Place {number}",
        "address": f"{number} New Street, Zagreb",
    }
    return {
        "operation": "CREATE",
        "orderNo": f"N{number:07}",
        "date": "2027-01-01",
        "type": "D",
        "duration": 20,
        "load1": 10,
        "timeWindows": [{"twFrom": "10:00", "twTo": "10:59"}],
        "notes": "Deliver at the back door",
        "email": "shop@example.com",
        "phone": "+385 1 234 567",
        "location": place | {"latitude": 45.8 + number % 1000 / 1e4, "longitude": 15.9},
    }


async def fill(where: str | Path, size: int) -> None:
    """An account with so many orders, a driver for every 50 of a day, and a place for every ten orders."""
    database = Database.open(where)
    journal = Journal(database)
    await journal.transact(lambda conn: found(conn, size))
    for first in range(0, size, BATCH):
        made = [record(number, size) for number in range(first, min(size, first + BATCH))]
        await journal.transact(partial(orders.insert_orders, account_id=ACCOUNT.id, records=made))
    await journal.close()
    database.close()


def found(conn: Connection, size: int) -> None:
    people.add_account(conn, ACCOUNT, AT_MS)
    for role, key, customer in ((Role.TENANT, "tenant", None), (Role.CUSTOMER, "customer", "Rare")):
        office = Office(_id("k", key), ACCOUNT, role, customer=customer)
        people.add_key(conn, office, key, digest(key), AT_MS)
    fleet.add_drivers(conn, ACCOUNT.id, [Driver(_id("d", n), f"Driver {n}") for n in range(DRIVERS)])
    places = [
        Location(_id("l", n), f"L{n:07}", f"Place {n}", f"{n} Long Street, Zagreb", 45.8 + n % 997 / 1e4, 15.9)
        for n in range(size // 10)
    ]
    orders.insert_locations(conn, ACCOUNT.id, places)
    every = (route(size, day, driver) for day in range(DAYS) for driver in range(DRIVERS))
    routes.insert_routes(conn, ACCOUNT.id, every)


def record(number: int, size: int) -> Record:
    """One order; those of the range were made among all the others."""
    day, place = number // A_DAY, number % (size // 10)
    within = number < DAYS * A_DAY
    when = FIRST + timedelta(day if within else DAYS + 1 + day if number % 2 else -1 - day % 5000)
    route_id = _id("r", day * DRIVERS + number % DRIVERS) if within else None
    order = Order(
        order_id(number, size),
        f"O{number:07}",
        str(when),
        _id("l", place),
        "D",
        20,
        time_windows=(TimeWindow("10:00", "10:59"),),
        notes="Deliver at the back door",
        email="shop@example.com",
        phone="+385 1 234 567",
        customer="Rare" if number % 100 == 0 else "Usual",
    )
    status = "failed" if number % 200 == 7 else "scheduled" if within else "success"
    return Record(order, route_id, route_id, _id("t", number), status, status)


def order_id(number: int, size: int) -> str:
    """The orders of a day were made at any time, so that their ids are no neighbours."""
    return f"{AT_MS + number * 7_919_999 % size:012x}{number:020x}"


def route(size: int, day: int, driver: int) -> RouteRecord:
    numbers = [number for number in range(day * A_DAY, (day + 1) * A_DAY) if number % DRIVERS == driver]
    stops = tuple(
        Stop(at, order_id(number, size), 45.8, 15.9, at * 600, at * 600, at * 600 + 300, 300, 2000)
        for at, number in enumerate(numbers, 1)
    )
    driver_id, when = _id("d", driver), str(FIRST + timedelta(day))
    planned = Route(driver_id, when, None, stops, 2000 * len(stops), 600 * len(stops), 0, 600 * len(stops))
    return RouteRecord(_id("r", day * DRIVERS + driver), when, driver_id, 1, planned, planned, AT_MS)


def _id(kind: str, number: int | str) -> str:
    return f"{kind}{number:0>31}"


if __name__ == "__main__":
    main()
