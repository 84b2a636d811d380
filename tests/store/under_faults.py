"""Short lives of a store, told step by step to a file, in a process that may end or have a failing disk at any step.

Started once, it lives one in a child of its own for each line that it reads: its imports take longer than a life.
"""

import asyncio
import hashlib
import os
import random
import sys
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from backend.domain.errors import Refusal
from backend.service.compaction import HOUR_MS
from backend.store import attachments, compaction, tracks
from backend.store.attachments import Attachment
from backend.store.database import FILE, Database
from backend.store.journal import Journal
from backend.store.media import Media
from backend.store.sqlite import writer as sqlite_writer
from tests.store.builders import NOON, drive
from tests.store.under_load import add

DRIVERS = ("ana", "ivo")
STEPS = 8
TRIES = 60
INDEX_BYTES = 136  # the head of SQLite's index of its log, which it never syncs
NOON_MS = int(NOON * 1000)
_open: list[Database] = []


async def live(folder: Path, seed: int) -> None:
    """Batches, changes, photos, now and then a merge of old chunks; checkpoints come by themselves.

    What is refused is tried again, as a phone would. Whatever was acknowledged is told right after it.
    """
    rng = random.Random(seed)
    sqlite_writer.LOG_GROWTH_BYTES = 60_000
    tell = teller(folder)
    database = Database.open(folder)
    journal = Journal(database)
    media = await Media.open(folder / "media", folder / "uploads")
    index = os.open(f"{folder / FILE}-shm", os.O_RDONLY)  # never closed: that lets go of all locks on it
    tell("open")
    for step in range(STEPS):
        for driver_id in DRIVERS:
            first, count = step * 200, rng.choice([1, 20, 200])
            await stubborn(tell, partial(journal.append, driver_id, drive(first, count)))
            tell(f"positions {driver_id} {first} {count}")
        code = f"code{seed}.{step}"
        await stubborn(tell, partial(change, journal, code))
        tell(f"change {code}")
        tell(f"index {os.pread(index, INDEX_BYTES, 0).hex()}")
        sha256 = await stubborn(tell, partial(photo, journal, media, f"{seed}.{step}", rng.randbytes(3_000)))
        tell(f"photo {sha256}")
        tell(f"index {os.pread(index, INDEX_BYTES, 0).hex()}")
        if step % 3 == 2:
            await stubborn(tell, partial(merge, database, journal))
            tell(f"index {os.pread(index, INDEX_BYTES, 0).hex()}")
    await journal.close()
    database.close()
    tell("closed")


async def grow(folder: Path, seed: int) -> None:
    """Three commits, and then it ends as by a kill. The second begins the log anew, before the rest of an older one;
    the third changes many pages that the log holds in no other state."""
    tell = teller(folder)
    database = opened(folder)
    for commit, many in enumerate([500, 1, 200]):
        codes = [f"{number:03}.{commit}" for number in range(many)]
        with database.engine.writer.begin() as transaction:
            for code in codes:
                add(code, transaction.connection)
        for code in codes:
            tell(f"change {code}")
        if commit == 0:
            database.engine.writer.connection.driver_connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


async def start(folder: Path, seed: int) -> None:
    """It opens, no more."""
    opened(folder)


def opened(folder: Path) -> Database:
    """A database that is never closed, which would move its log."""
    _open.append(Database.open(folder))
    return _open[-1]


def teller(folder: Path) -> Callable[[str], None]:
    book = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return lambda line: os.write(book, f"{line}\n".encode())


async def stubborn(tell: Callable[[str], None], work: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(TRIES):
        try:
            return await work()
        except Refusal as refusal:
            assert refusal.code in ("ERR_STORAGE", "ERR_STORAGE_FULL"), refusal
            tell(f"refused {refusal.code}")
    raise AssertionError("a disk that is well again was never used")


async def change(journal: Journal, code: str) -> None:
    """Once, however often it is tried."""

    def once(conn: Any) -> None:
        if not conn.exec_driver_sql("SELECT 1 FROM skills WHERE id = ?", (code,)).fetchone():
            add(code, conn)

    await journal.transact(once)


async def photo(journal: Journal, media: Media, id: str, content: bytes) -> str:
    """As ``service.attach`` does it: the file under its name, then its row."""

    async def pieces() -> Any:
        yield content

    part = media.begin()
    await media.extend(part, pieces(), 1 << 20)
    sha256 = await media.keep(part)
    assert sha256 == hashlib.sha256(content).hexdigest()

    def row(conn: Any) -> None:
        if attachments.by_id(conn, "a", id) is None:
            made = Attachment(id, "ana", "image", "image/png", len(content), sha256, None, 0)
            attachments.insert_attachment(conn, "a", made)

    await journal.transact(row)
    media.discard(part)
    return sha256


async def merge(database: Database, journal: Journal) -> None:
    """Old chunks in one, as ``service.compaction`` does it."""
    for driver_id in DRIVERS:
        from_ms = NOON_MS // HOUR_MS * HOUR_MS
        for group in await database.read(
            lambda conn, of=driver_id, at=from_ms: compaction.ripe(conn, of, at, at + 2 * HOUR_MS)
        ):
            made = await database.read(lambda conn, group=group: compaction.merged(conn, group))
            assert made is not None
            await journal.transact(lambda conn, pair=(group, made): compaction.replace(conn, [pair]))


def stored(database: Database) -> dict[str, Any]:
    """What a database holds, in the words of what was told."""

    def look(conn: Any) -> dict[str, Any]:
        seconds = {driver_id: [fix.at_ms for fix in tracks.track(conn, driver_id, 0, 1 << 50)] for driver_id in DRIVERS}
        counts = dict(conn.exec_driver_sql("SELECT driver_id, sum(count) FROM chunks GROUP BY driver_id").all())
        return {
            "positions": {driver_id: {(at - NOON_MS) // 1000 for at in times} for driver_id, times in seconds.items()},
            "counts": {driver_id: counts.get(driver_id, 0) for driver_id in DRIVERS},
            "changes": set(conn.exec_driver_sql("SELECT code FROM skills").scalars()),
            "photos": list(conn.exec_driver_sql("SELECT sha256 FROM attachments").scalars()),
            "sound": conn.exec_driver_sql("PRAGMA integrity_check").scalar(),
        }

    return database.read_now(look)


def main() -> None:
    """Each line: what life, a folder and a seed. Answers the number with which it ended: 0, 1 after a failure, -9."""
    os.write(1, b"ready\n")
    for line in sys.stdin:
        life, rest = line.split(maxsplit=1)
        folder, seed = rest.rsplit(maxsplit=1)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(LIVES[life](Path(folder), int(seed)))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


LIVES = {"live": live, "grow": grow, "start": start}


if __name__ == "__main__":
    main()
