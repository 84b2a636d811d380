"""The log that a killed process left behind, and what became of it on the disk before the next start."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from backend.domain.drivers import CodeKind
from backend.domain.errors import Refusal
from backend.store import codes, disk
from backend.store.database import FILE, Database
from backend.store.sqlite import wal
from tests.store.under_load import add

ROOT = Path(__file__).parents[2]
COMMITS = 12
FRAME = wal.FRAME_BYTES + 4096

PROGRAM = f"""
import os, signal, sqlite3
from pathlib import Path
from backend.store.database import FILE, Database
from tests.store.under_load import add

kept = []
for moved in ("none", "half", "all"):
    database = Database.open(Path(moved))
    writer = database.engine.writer
    driver = writer.connection.driver_connection
    for number in range({COMMITS}):
        with writer.begin():
            add(f"code{{number}}", writer)
        if moved == "half" and number == {COMMITS} // 2:
            reader = sqlite3.connect(Path(moved) / FILE, isolation_level=None)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM skills").fetchone()
            kept.append(reader)
    if moved != "none":
        driver.execute("PRAGMA wal_checkpoint(PASSIVE)")
    kept.append(database)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders as a kill left them, named for how much of the log was in the database by then."""
    folder = tmp_path_factory.mktemp("left")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, env=environment, timeout=150, check=False)
    assert ended.returncode == -signal.SIGKILL
    return folder


def copied(left: Path, moved: str, to: Path) -> tuple[Path, bytearray]:
    """The database in a copy of one of the folders, and its log."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(left / moved, to)
    return to / FILE, bytearray((to / f"{FILE}-wal").read_bytes())


def committed(path: Path) -> int:
    """So many frames."""
    index = path.with_name(path.name + "-shm").read_bytes()
    return int.from_bytes(index[16:20], sys.byteorder)


def kept(place: Path) -> int:
    """How many of the changes are there."""
    database = Database.open(place)
    found = database.read_now(lambda conn: codes.names(conn, "a", CodeKind.SKILL))
    database.close()
    return len(found)


@pytest.mark.parametrize("moved", ["none", "half", "all"])
def test_what_a_kill_leaves_is_opened_and_so_it_is_with_noise_behind_the_last_commit(
    left: Path, moved: str, tmp_path: Path
) -> None:
    path, log = copied(left, moved, tmp_path / "as it is")
    assert wal.loss(path) is None and kept(path.parent) == COMMITS
    path, log = copied(left, moved, tmp_path / "torn")
    end = wal.HEADER_BYTES + committed(path) * FRAME
    torn = log[:end] + log[end - FRAME : end - 100]  # of the same log, by its salts
    path.with_name(FILE + "-wal").write_bytes(torn)
    assert kept(path.parent) == COMMITS


@pytest.mark.parametrize("moved", ["none", "half", "all"])
def test_a_log_of_which_any_bit_has_flipped_or_the_end_is_gone_is_refused_and_left_as_it_is(
    left: Path, moved: str, tmp_path: Path, rng: random.Random
) -> None:
    path, log = copied(left, moved, tmp_path / "data")
    end = wal.HEADER_BYTES + committed(path) * FRAME
    log_file = path.with_name(FILE + "-wal")
    heads = range(wal.HEADER_BYTES + FRAME, wal.HEADER_BYTES + FRAME + wal.FRAME_BYTES)
    for at in (*range(wal.HEADER_BYTES), *heads, *(rng.randrange(end) for _ in range(30))):
        hurt = bytearray(log)
        hurt[at] ^= 1 << rng.randrange(8)
        log_file.write_bytes(hurt)
        lost = wal.loss(path)
        assert lost is not None and lost.whole == max(0, at - wal.HEADER_BYTES) // FRAME, f"byte {at}"
    log_file.write_bytes(log[: rng.randrange(wal.HEADER_BYTES, end)])
    files = [path, log_file, path.with_name(FILE + "-shm")]
    before = [file.read_bytes() for file in files]
    for _ in range(2):
        with pytest.raises(Refusal, match=rf"ERR_STORAGE_DAMAGED: .*-wal is damaged, of {committed(path)} frames"):
            Database.open(path.parent)
    assert [file.read_bytes() for file in files] == before


def test_who_does_as_the_refusal_says_goes_on_with_what_is_sound(left: Path, tmp_path: Path) -> None:
    def hurt(moved: str, frame: int) -> tuple[Path, str]:
        path, log = copied(left, moved, tmp_path / f"{moved}-{frame}")
        log[wal.HEADER_BYTES + frame * FRAME + 1000] ^= 1
        path.with_name(FILE + "-wal").write_bytes(log)
        with pytest.raises(Refusal) as refused:
            Database.open(path.parent)
        return path.parent, refused.value.text

    last = committed(left / "all" / FILE) - 1
    place, advice = hurt("all", 1)
    assert "nothing is lost" in advice
    for end in ("-wal", "-shm"):
        (place / (FILE + end)).rename(place / f"away{end}")
    assert kept(place) == COMMITS
    for moved in ("none", "half"):
        place, advice = hurt(moved, last)
        assert "-shm away to go on" in advice
        (place / (FILE + "-shm")).unlink()
        assert kept(place) == COMMITS - 1
    _, advice = hurt("half", 1)
    assert advice.endswith("restore it from a backup.")  # older pages would hide newer ones


def test_an_index_of_any_earlier_moment_as_a_power_cut_may_leave_it_raises_no_alarm(
    tmp_path: Path, rng: random.Random
) -> None:
    """Through commits, changes that are undone, and logs that begin anew, are cut and are made anew."""
    path = tmp_path / FILE
    indexes: list[bytes] = []
    seen = told = 0
    for life in range(2):
        database = Database.open(tmp_path)
        writer = database.engine.writer
        driver = writer.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA cache_size=8")  # so that a long change reaches the log before its end
        index = os.open(f"{path}-shm", os.O_RDONLY)  # closed last, for that lets go of all locks on it
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            for number in range(25):
                step = rng.choice(["commit", "commit", "undone", "moved", "cut", "read", "done"])
                match step:
                    case "commit" | "undone":
                        transaction = writer.begin()
                        for part in range(rng.choice([1, 100])):
                            add(f"{life}.{number}.{part}" + "x" * 100, writer)
                        transaction.commit() if step == "commit" else transaction.rollback()
                    case "moved" | "cut":
                        how = "PASSIVE" if step == "moved" else "TRUNCATE"
                        driver.execute("PRAGMA busy_timeout=0")
                        driver.execute(f"PRAGMA wal_checkpoint({how})")
                    case "read" if not reader.in_transaction:
                        reader.execute("BEGIN")
                        reader.execute("SELECT count(*) FROM skills").fetchone()
                    case "done" if reader.in_transaction:
                        reader.execute("COMMIT")
                indexes.append(os.pread(index, 136, 0))
                log = path.with_name(FILE + "-wal").read_bytes()
                for old in {*indexes[-3:], *rng.sample(indexes, min(4, len(indexes)))}:
                    place = tmp_path / "cut" / FILE
                    place.parent.mkdir(exist_ok=True)
                    place.with_name(FILE + "-wal").write_bytes(log)
                    place.with_name(FILE + "-shm").write_bytes(old)
                    assert wal.loss(place) is None, (life, number, step)
                    told += old[32:40] == log[16:24] and any(old[16:20])
                    seen += 1
        database.close()
        os.close(index)
    print(f"{seen} moments, of which {told} with an index of that log")
    assert told > 5


def test_a_file_is_written_over_itself_as_it_is(tmp_path: Path):
    content = os.urandom((1 << 20) + 4321)
    (tmp_path / "log").write_bytes(content)
    os.utime(tmp_path / "log", (1, 1))  # the clock of files may stand still for the few milliseconds that this takes
    disk.write_again(tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == content
    assert (tmp_path / "log").stat().st_mtime > 1, "it was written, not only synced"
