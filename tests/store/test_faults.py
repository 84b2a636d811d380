"""The store on a machine that ends, or whose disk fails, at every step of what it does."""

import errno
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from backend.domain.drivers import CodeKind
from backend.store import codes
from backend.store.database import FILE, Database
from backend.store.media import Media
from backend.store.migrations import migrate
from tests.faults import FOREVER, Machine
from tests.store.power import Disk, Kind, read_log
from tests.store.under_faults import DRIVERS, stored

ROOT = Path(__file__).parents[2]
ROOM_BYTES = 32 << 20
LOG = f"{FILE}-wal"
FEW = 3
"""``--kills`` of a short run."""


class Lives:
    """A process that lives short lives of a store, each in a folder of its own, on a machine that fails on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "lives"
        self.folder.mkdir()
        self.log = folder / "log"
        self.machine = Machine(self.folder, folder / "machine", self.log)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.under_faults"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "said").open("ab"),
            text=True,
            cwd=ROOT,
            env={**os.environ, **self.machine.environment},
        )
        self._said = folder / "said"
        assert self._line() == "ready"

    def one(
        self, name: str, seed: int, pattern: Path | None = None, life: str = "live", only: str = "", **orders: int
    ) -> tuple[Path, int]:
        """Where it was lived, and how it ended: 0, 1 where it failed, -9. ``pattern``: the folder to begin with;
        ``life``: one of ``under_faults``."""
        for earlier in self.folder.iterdir():
            shutil.rmtree(earlier)
        place = self.folder / name
        if pattern is None:
            place.mkdir()
        else:
            shutil.copytree(pattern, place)
        self.log.write_bytes(b"")
        return place, self.again(place, seed, life, only, **orders)

    def again(self, place: Path, seed: int, life: str = "live", only: str = "", **orders: int) -> int:
        """One more life where there was one."""
        os.truncate(self._said, 0)
        self.machine.orders(only=only, spared="/told", **orders)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{life} {place} {seed}\n")
        self._process.stdin.flush()
        return int(self._line())

    def said(self) -> str:
        """What the last life said of its trouble."""
        return self._said.read_text()[-3000:]

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    """In memory where there is room: the faults of the disk are made up, and a real one only takes its time."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES
    with tempfile.TemporaryDirectory(prefix="codriver-lives-", dir=memory if roomy else None) as folder:
        living = Lives(Path(folder))
        try:
            yield living
        finally:
            living.end()


def spread(rng: random.Random, most: int, few: int, request: pytest.FixtureRequest) -> Iterable[int]:
    """Numbers from 1 to ``most``, one in each part of the range: some, or in a long run as many as it has kills."""
    kills = request.config.option.kills
    step = max(1, most // (kills if kills > FEW else few))
    return (min(most, rng.randrange(first, first + step)) for first in range(1, most + 1, step))


async def all_is_there(place: Path, told: list[str]) -> float:
    """Opens, within so many seconds; what was told is stored, once; every row of a photo has its file."""
    begun = time.monotonic()
    database = Database.open(place)
    media = await Media.open(place / "media", place / "uploads", alone=True)
    took_s = time.monotonic() - begun
    found = stored(database)
    assert found["sound"] == "ok"
    for driver_id in DRIVERS:
        assert found["counts"][driver_id] == len(found["positions"][driver_id]), "stored twice"
    for line in told:
        match line.split():
            case ["positions", driver_id, first, count]:
                missing = set(range(int(first), int(first) + int(count))) - found["positions"][driver_id]
                assert not missing, f"acknowledged and lost: {line}"
            case ["change", code]:
                assert code in found["changes"], f"acknowledged and lost: {line}"
            case ["photo", sha256]:
                assert sha256 in found["photos"], f"acknowledged and lost: {line}"
    assert len(found["photos"]) == len(set(found["photos"]))
    for sha256 in found["photos"]:
        _, pieces = await media.read(sha256)
        content = b"".join([piece async for piece in pieces])
        assert hashlib.sha256(content).hexdigest() == sha256, "a row without its whole file"
    assert not list((place / "uploads").glob("*.part"))
    await media.close()
    database.close()
    return took_s


def told_in(place: Path) -> list[str]:
    """Whole lines only."""
    path = place / "told"
    return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the first version, to be brought to this one."""
    place = tmp_path_factory.mktemp("old")
    engine = create_engine(f"sqlite:///{place / FILE}")
    with engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA journal_mode=WAL")
        migrate(conn, "0001")
        conn.execute(text("INSERT INTO vehicle_features VALUES ('a', 'FR', 'Freezer')"))
        conn.commit()
    engine.dispose()
    return place


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("how", ["before", "amid"])
async def test_a_migration_that_ends_at_any_change_of_a_file_is_made_whole_by_the_next_start(
    lives: Lives, old: Path, how: str, seed: int, rng: random.Random, request: pytest.FixtureRequest
) -> None:
    lives.one(f"old-{how}", seed, old)
    for number in spread(rng, 90, 9, request):
        place, ended = lives.one(f"old-{how}-{number}", seed, old, die_at=number, torn=int(how == "amid"))
        assert ended == -9, lives.said()
        await all_is_there(place, told_in(place))
        database = Database.open(place)
        kept = database.read_now(lambda conn: codes.names(conn, "a", CodeKind.VEHICLE_FEATURE))
        database.close()
        assert kept == {"FR": "Freezer"}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("how", ["before", "after", "amid"])
async def test_a_store_that_ends_at_any_change_of_a_file_begins_again_with_all_it_acknowledged(
    lives: Lives, how: str, seed: int, rng: random.Random, request: pytest.FixtureRequest
) -> None:
    """In the first start with its migrations, in commits, checkpoints, merges, and while photos get their names."""
    _, ended = lives.one(f"whole-{how}", seed)
    assert ended == 0, lives.said()
    calls = lives.machine.count("calls")
    assert calls > 200
    killed, longest_s = 0, 0.0
    for number in spread(rng, calls, 10, request):
        where = {"die_after": number} if how == "after" else {"die_at": number, "torn": int(how == "amid")}
        place, ended = lives.one(f"{how}-{number}", seed, **where)
        killed += ended == -9
        assert ended in ((0, -9) if how == "amid" else (-9,)), lives.said()  # the last changes are no writes
        longest_s = max(longest_s, await all_is_there(place, told_in(place)))
    print(f"{killed} of {calls} places, {how} the change; it opened within {longest_s:.2f} s")
    assert killed > 3


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables in it and nothing else."""
    place = tmp_path_factory.mktemp("lived")
    Database.open(place).close()
    return place


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("begun", [False, True], ids=["from the first start", "on an old folder"])
@pytest.mark.parametrize(
    ("what", "many", "error"),
    [("write", 1, "EIO"), ("write", 4, "ENOSPC"), ("sync", 1, "EIO"), ("sync", 5, "EIO"), ("write", FOREVER, "EIO")],
)
async def test_a_disk_that_fails_at_any_step_never_makes_a_false_acknowledgement(
    lives: Lives,
    lived: Path,
    begun: bool,
    what: str,
    many: int,
    error: str,
    seed: int,
    rng: random.Random,
    request: pytest.FixtureRequest,
) -> None:
    """One fault or several in a row, then the disk is well again; or it fails for good."""
    refused = ended_well = 0
    for number in spread(rng, 50 if begun else 300, 6, request):
        name = f"{what}-{error}-{many}-{begun}-{number}"
        faults = {f"fail_{what}": number, f"fail_{what}s": many, "error": getattr(errno, error)}
        place, ended = lives.one(name, seed, lived if begun else None, **faults)
        told = told_in(place)
        ended_well += ended == 0
        refused += any(line.startswith("refused") for line in told)
        if "open" in told and many != FOREVER:
            assert ended == 0, lives.said()  # each step was done in the end
        elif ended:
            assert (ended == 1 and "Refusal: ERR_STORAGE" in lives.said()) or "was never used" in lives.said(), (
                lives.said()
            )
        lives.machine.orders()
        await all_is_there(place, told)
    print(f"{refused} lives heard of a failing disk, {ended_well} went on to their end")
    assert refused or not begun


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", ["none", "sync", "sync, then begun again"])
async def test_when_the_power_is_cut_the_disk_holds_all_that_was_acknowledged(
    lives: Lives, fault: str, seed: int, rng: random.Random, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What was not synced is lost, or half written, at any moment of a life; also where fsync fails now and then and
    the system then forgets what it has not written: it may even be read back by who begins again, and go with the
    power."""
    long = request.config.option.kills > FEW
    cuts = matching = 0
    for number in range(12 if long else 2):
        many = {"none": 0, "sync": rng.choice([1, 3])}.get(fault, FOREVER)
        orders = {"fail_sync": rng.randrange(20, 90), "fail_syncs": many}
        place, ended = lives.one(f"power-{fault[-5:]}-{number}", seed + number, **orders)
        if many == FOREVER:
            assert ended == 1, lives.said()
            ended = lives.again(place, seed + number)
        assert ended == 0, lives.said()
        records = list(read_log(lives.log))
        moments = set(rng.sample(range(len(records)), 40 if long else 10)) | {len(records) - 1}
        disk = Disk(place, rng)
        for at, record in enumerate(records):
            disk.apply(record)
            if at in moments:
                told = disk.said("told")
                left = tmp_path / f"{number}-{at}"
                disk.cut(left)
                indexes = [bytes.fromhex(line.split()[1]) for line in told if line.startswith("index ")]
                if indexes and (left / FILE).exists():  # it may be one of any moment, the last ones are the likeliest
                    index = rng.choice([rng.choice(indexes), *indexes[-2:]])
                    log = left / f"{FILE}-wal"
                    matching += log.exists() and log.read_bytes()[16:24] == index[32:40] and any(index[16:20])
                    (left / f"{FILE}-shm").write_bytes(index)
                await all_is_there(left, told)
                cuts += 1
    print(f"{cuts} cuts of the power, {matching} of them with an index of the log that is left")
    assert matching or not long


@pytest.mark.parametrize(
    ("first", "how"),
    [
        (0, {}),
        (1, {"fail_sync": 1, "fail_syncs": 1}),
        (1, {"fail_write": 1, "fail_writes": 1}),
        (1, {"fail_write": 1, "fail_writes": 1, "error": errno.ENOSPC}),
        (-9, {"die_at": 1, "torn": 1}),
        (-9, {"die_sync": 1}),
    ],
    ids=["works", "fails to sync", "fails to write", "is full", "loses its process amid it", "loses it after it"],
)
async def test_a_log_that_was_in_memory_alone_is_on_the_disk_before_any_of_it_is_moved(
    lives: Lives,
    first: int,
    how: dict[str, int],
    seed: int,
    rng: random.Random,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """The last fsync of a life failed, so that the commit which it was for can be read, and a power cut would take it.

    The next start finds it, on a disk that at first still has its troubles with the log. Whenever the power is cut amid
    that start, the worst is that the database has got all that was written to it so far, and the log only what is sure.
    """
    lives.one("whole", seed, life="grow", only=LOG)
    last = lives.machine.count("syncs")
    place, ended = lives.one("memory", seed, life="grow", only=LOG, fail_sync=last)
    assert ended == 1 and "disk I/O error" in lives.said(), lives.said()
    before = len(list(read_log(lives.log)))
    ended = lives.again(place, seed, "start", LOG, **how)
    assert ended == first and (ended != 1 or "Refusal: ERR_STORAGE" in lives.said()), lives.said()
    assert lives.again(place, seed, "start") == 0, lives.said()
    every = 5 if how and request.config.option.kills <= FEW else 1
    disk, moved = Disk(place, rng, takes=0.0), False
    for number, record in enumerate(read_log(lives.log)):
        disk.apply(record)
        if number < before:
            continue
        if number == before:
            assert not disk.keeps(LOG), "a start finds what is not on the disk"
        if number % every == 0:
            left = tmp_path / f"{number}"
            disk.cut(left, {FILE: 1.0})
            await all_is_there(left, disk.said("told"))
        if (record.kind, record.path) == (Kind.WRITE, f"{place / FILE}") and not moved:
            moved = True
            assert disk.keeps(LOG)
    assert moved


async def test_where_the_names_in_the_folder_were_not_synced_nothing_is_acknowledged(
    lives: Lives, seed: int, rng: random.Random, tmp_path: Path
) -> None:
    """SQLite makes its log's name sure itself, and does not tell where that fails."""
    place, ended = lives.one("names", seed, life="grow")
    assert ended == 0, lives.said()
    syncs = [record.path for record in read_log(lives.log) if record.kind == Kind.SYNC]
    numbers = [number for number, path in enumerate(syncs, 1) if path == str(place)]
    assert len(numbers) >= 3, "of the new database, of its log, and of the log by SQLite"
    heard = 0
    for number in numbers:
        place, ended = lives.one("names", seed, life="grow", fail_sync=number, fail_syncs=1)
        heard += ended == 1
        disk = Disk(place, rng, takes=0.0)
        for record in read_log(lives.log):
            disk.apply(record)
        left = tmp_path / f"{number}"
        disk.cut(left, {})
        await all_is_there(left, disk.said("told"))
    assert heard >= 2
