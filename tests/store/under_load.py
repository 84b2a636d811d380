"""A process that stores without end and says on its output what was acknowledged, until it is killed."""

import asyncio
import os
import random
import sys
from functools import partial

from sqlalchemy import Connection, insert

from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.sqlite import writer as sqlite_writer
from backend.store.tables import skills
from tests.store.builders import drive

DRIVERS = 8


async def phone(journal: Journal, driver: int, round_: int, rng: random.Random) -> None:
    """Batches one after the other, now and then an old one again, now and then a change beside them."""
    sent = 0
    while True:
        count = rng.choice([1, 10, 100])
        first = round_ * 1_000_000 + sent
        await journal.append(f"driver{driver}", drive(first, count))
        say(f"positions {driver} {first} {count}")
        sent += count
        if rng.random() < 0.1:
            again = rng.randrange(sent)
            await journal.append(f"driver{driver}", drive(round_ * 1_000_000 + again, min(50, sent - again)))
        if rng.random() < 0.2:
            code = f"{round_}.{driver}.{sent}"
            await journal.transact(partial(add, code))
            say(f"skill {code}")


def add(code: str, conn: Connection) -> None:
    conn.execute(insert(skills).values(id=code, account_id="a", code=code, name=""))


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def main(place: str, round_: int, seed: int) -> None:
    sqlite_writer.LOG_GROWTH_BYTES = 300_000  # so that many of the deaths fall into a checkpoint
    journal = Journal(Database.open(place))
    say("ready")
    await asyncio.gather(*(phone(journal, driver, round_, random.Random(seed + driver)) for driver in range(DRIVERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
