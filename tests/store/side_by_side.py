"""One of several processes that store positions of the same drivers at once. Prints how many were accepted.

python -m tests.store.side_by_side URL SEED
"""

import asyncio
import random
import sys

from backend.store.database import Database
from backend.store.journal import Journal
from tests.store.builders import drive, fix

DRIVERS = ("ana", "ivo", "eva")
BATCHES = 40
WEEK_S = 7 * 86_400


def batch(chance: random.Random) -> list:
    """Fixes that overlap with what others send; some have ids, and some reach into another week."""
    first = chance.randrange(600)
    match chance.randrange(4):
        case 0:
            return [fix(second, id=f"id{second}") for second in range(first, first + 20)]
        case 1:
            return [fix(second * 3_600) for second in range(first, first + 30)]
        case 2:
            return [fix(chance.randrange(8) * WEEK_S + second) for second in range(first, first + 5)]
        case _:
            return drive(first, chance.choice([1, 50, 200]))


async def main(url: str, chance: random.Random) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    database = Database.open(url)
    journal = Journal(database)
    accepted = dict.fromkeys(DRIVERS, 0)

    async def phone() -> None:
        for _ in range(BATCHES):
            driver = chance.choice(DRIVERS)
            appended = await journal.append(driver, batch(chance))
            accepted[driver] += appended.accepted

    await asyncio.gather(*(phone() for _ in range(4)))
    await journal.close()
    database.close()
    print(*accepted.values(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], random.Random(int(sys.argv[2]))))
