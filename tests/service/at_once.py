"""One of several processes that report on the same orders at once. Prints the ids of the actions that were stored.

    python -m tests.service.at_once URL DEVICE SEED

DEVICE is the phone and its orders, as JSON.
"""

import asyncio
import random
import sys

import msgspec
from sqlalchemy import Connection, text

from backend.domain.accounts import Device
from backend.domain.events import Action
from backend.service.settle import Outcome, settle
from backend.store.database import Database
from backend.store.journal import Journal
from tests.service.builders import NOW_MS, action, name

COMMITS = 45
ACTIONS = 300  # each process sends some of them, many of them several processes


def said(number: int, orders: list[str]) -> Action:
    """The same for the same number, whoever sends it."""
    kind = ("start_service", "success", "failed")[number % 3]
    return action(number, kind, (number * 7919) % 600, orders[number % len(orders)])


async def main(url: str, device: Device, orders: list[str], chance: random.Random) -> None:
    journal = Journal(Database.open(url))
    print("ready", flush=True)
    sys.stdin.readline()

    def change(conn: Connection, actions: list[Action], pause_s: float) -> list[Outcome]:
        outcomes = settle(conn, device, actions, NOW_MS)
        conn.execute(text("SELECT pg_sleep(:s)"), {"s": pause_s})
        return outcomes

    async def phone() -> None:
        for _ in range(COMMITS // 3):
            numbers = chance.sample(range(ACTIONS), 2)
            actions = [said(number, orders) for number in numbers]
            pause_s = chance.random() * 0.01
            outcomes = await journal.transact(
                lambda conn, actions=actions, pause_s=pause_s: change(conn, actions, pause_s)
            )
            assert all(outcome.success for outcome in outcomes)
            print(*(name(number) for number in numbers), flush=True)

    await asyncio.gather(*(phone() for _ in range(3)))
    await journal.close()


if __name__ == "__main__":
    given, ids = msgspec.json.decode(sys.argv[2], type=tuple[Device, list[str]])
    asyncio.run(main(sys.argv[1], given, ids, random.Random(int(sys.argv[3]))))
