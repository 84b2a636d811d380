import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import Connection, select

from backend.domain.positions import unpack_times_ms
from backend.store.database import Database
from backend.store.tables import chunks, skills
from tests.store.builders import NOON
from tests.store.under_load import DRIVERS

ROUNDS = {"sqlite": 8, "postgresql": 3}
ROOT = Path(__file__).parents[2]
NOON_MS = int(NOON * 1000)


def killed_after(place: str, round_: int, rng: random.Random) -> list[str]:
    """What a process that was killed at a random moment had acknowledged."""
    command = [sys.executable, "-m", "tests.store.under_load", place, str(round_), str(rng.randrange(1 << 30))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    lines = [process.stdout.readline() for _ in range(rng.randint(40, 300))]
    time.sleep(rng.uniform(0, 0.05))  # at any moment of a commit, not right after an answer
    process.kill()
    lines += process.stdout.read().splitlines(keepends=True)
    assert process.wait(60) == -signal.SIGKILL
    return [line.strip() for line in lines if line.endswith("\n")]


def stored_times(conn: Connection) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {f"driver{driver}": Counter() for driver in range(DRIVERS)}
    for driver_id, body in conn.execute(select(chunks.c.driver_id, chunks.c.body)):
        found[driver_id].update((at_ms - NOON_MS) // 1000 for at_ms in unpack_times_ms(body))
    return found


def test_what_was_acknowledged_survives_a_kill_at_any_moment_once(engine: str, place: str, rng: random.Random) -> None:
    positions: dict[str, set[int]] = {f"driver{driver}": set() for driver in range(DRIVERS)}
    codes: set[str] = set()
    rounds, longest_s = ROUNDS[engine], 0.0
    for round_ in range(rounds):
        for line in killed_after(place, round_, rng):
            match line.split():
                case ["positions", driver, first, count]:
                    positions[f"driver{driver}"].update(range(int(first), int(first) + int(count)))
                case ["skill", code]:
                    codes.add(code)
        started = time.monotonic()
        database = Database.open(place)
        longest_s = max(longest_s, time.monotonic() - started)
        if engine == "sqlite":
            assert database.read_now(lambda conn: conn.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"
        stored = database.read_now(stored_times)
        assert codes <= set(database.read_now(lambda conn: conn.scalars(select(skills.c.code)).all()))
        database.close()
        for driver_id, seconds in positions.items():
            assert seconds <= stored[driver_id].keys(), f"round {round_}: acknowledged and lost"
            assert max(stored[driver_id].values(), default=1) == 1, f"round {round_}: stored twice"
    assert sum(map(len, positions.values())) > 1_000 * rounds
    print(f"{sum(map(len, positions.values()))} positions and {len(codes)} changes survived {rounds} kills")
    print(f"it opened again within {longest_s:.2f} s")


def test_a_file_size_limit_is_told_as_a_failing_disk_and_the_journal_recovers(tmp_path: Path) -> None:
    """Another way than a full database for a write to fail: in the log, at the operating system."""
    program = """
import asyncio, resource, sys
from pathlib import Path
from backend.domain.errors import Refusal
from backend.store.database import Database
from backend.store.journal import Journal
from tests.store.builders import drive

async def main():
    database = Database.open(Path(sys.argv[1]))
    journal = Journal(database)
    await journal.append("ana", drive(0, 100))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    acknowledged, refused = 100, 0
    for number in range(1, 60):
        try:
            acknowledged += (await journal.append("ana", drive(number * 100, 100))).accepted
        except Refusal as refusal:
            assert refusal.code in ("ERR_STORAGE", "ERR_STORAGE_FULL"), refusal
            refused += 1
    assert refused > 5, refused
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    last = await journal.append("ana", drive(0, 6000))
    assert (last.accepted, last.duplicates) == (6000 - acknowledged, acknowledged), (last.accepted, acknowledged)
    await journal.close()
    database.close()

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=150,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
