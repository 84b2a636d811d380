"""A copy of everything, made while the server runs: a data folder of its own, checked file by file.

The database is copied in one step, as it stood at one moment; the photos after it, as a photo is stored before its row:
so every row's photo is there. A copy gets its final name only when it is complete.
"""

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from backend.domain.errors import Refusal
from backend.store.disk import make_folder, sync
from backend.store.sqlite.engine import FILE, Sqlite

MEDIA, SECRET = "media", "secret"
UNFINISHED = ".unfinished"
FOUND = "lost+found"  # a new file system has it


class Copied(msgspec.Struct, frozen=True):
    """How many photos and documents, and how many bytes of database."""

    files: int
    database_bytes: int


def back_up(data: Path, to: Path, *, photos: bool = True) -> Copied:
    """Copy a data folder, whoever serves it, to a folder that is empty or not there yet. Without ``photos`` they lie
    elsewhere, and those that may be in the folder are left over from before.

    Refusals: ``ERR_BACKUP_NOTHING``, ``ERR_BACKUP_EXISTS``, ``ERR_BACKUP_FAILED`` where something cannot be read or
    written, ``ERR_STORAGE_DAMAGED`` where the copy is not sound, those of opening the database.
    """
    if not (data / FILE).exists():
        raise Refusal("ERR_BACKUP_NOTHING", f"There is no database in {data}.", "--data")
    with _unfinished(to) as new:
        _copy_database(data / FILE, new / FILE)
        _copy_files(data, new, photos)
        return _finished(new)


def restore(backup: Path, data: Path) -> Copied:
    """Copy a backup to a data folder that has no database yet, after it was checked.

    Refusals as of ``back_up``, and ``ERR_BACKUP_SERVED`` for one with a log: only the database would be copied.
    """
    if not (backup / FILE).exists():
        raise Refusal("ERR_BACKUP_NOTHING", f"There is no backup in {backup}.", "BACKUP")
    log_file = backup / f"{FILE}-wal"
    if log_file.exists() and log_file.stat().st_size:
        how = "make a backup of it with codriver backup, and restore that"
        raise Refusal(
            "ERR_BACKUP_SERVED", f"{log_file} holds what {FILE} does not, as it was served from: {how}.", "BACKUP"
        )
    with _unfinished(data) as new:
        _check(backup)
        shutil.copyfile(backup / FILE, new / FILE)
        _copy_files(backup, new, photos=True)
        return _finished(new)


@contextlib.contextmanager
def _unfinished(to: Path) -> Iterator[Path]:
    """A folder beside the wanted one, which gets its name when all went well.

    Where the wanted one is there already it may be a mount point, or all that we may write to. Then the folder is in
    it, and what it holds moves up in the end, the database last: until then there is nothing that could be served.
    """
    to = to.resolve()
    there = to.exists()
    new = to / UNFINISHED if there else to.with_name(to.name + UNFINISHED)
    if there and (not to.is_dir() or {path.name for path in to.iterdir()} - {UNFINISHED, FOUND}):
        raise Refusal("ERR_BACKUP_EXISTS", f"{to} is there already, and not empty.", str(to))
    shutil.rmtree(new, ignore_errors=True)
    try:
        make_folder(new.parent)
        new.mkdir(mode=0o700)
        yield new
        if there:
            for path in sorted(new.iterdir(), key=lambda path: path.name == FILE):
                sync(to)
                path.rename(to / path.name)
            sync(to)
        else:
            new.rename(to)
            sync(to.parent)
    except (OSError, sqlite3.OperationalError) as error:
        raise Refusal("ERR_BACKUP_FAILED", f"The copy to {to} failed: {error}.", str(to)) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _copy_database(path: Path, to: Path) -> None:
    with closing(sqlite3.connect(to)) as copy:
        try:
            with closing(Sqlite.open(path)) as ours:
                driver = ours.writer.connection.driver_connection
                assert driver is not None
                driver.backup(copy)
        except Refusal as refusal:
            if refusal.code != "ERR_STORAGE_LOCKED":
                raise
            # Served: a connection that can only read neither writes nor makes checkpoints, which one process must.
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as theirs:
                theirs.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # all of it in the one file


def _copy_files(data: Path, new: Path, photos: bool) -> None:
    if photos and (data / MEDIA).is_dir():
        (new / MEDIA).mkdir()  # also where all are gone: then those that the database names are missed
        for path in (data / MEDIA).glob("??/*"):
            target = new / MEDIA / path.parent.name / path.name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
            sync(target)
    if (data / SECRET).exists():
        shutil.copy(data / SECRET, new / SECRET)
        sync(new / SECRET)


def _finished(new: Path) -> Copied:
    """Checked, and on the disk."""
    files = _check(new)
    for folder in (*(path for path in new.rglob("*") if path.is_dir()), new / FILE, new):
        sync(folder)
    return Copied(files, (new / FILE).stat().st_size)


def _check(folder: Path) -> int:
    """Whether the database is sound and every photo that it names is there, byte for byte; how many."""
    address = f"{(folder / FILE).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as copy:
            verdict = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            named = [row[0] for row in copy.execute("SELECT DISTINCT sha256 FROM attachments")]
    except sqlite3.DatabaseError as error:
        raise Refusal("ERR_STORAGE_DAMAGED", f"{folder / FILE} cannot be read as ours: {error}.") from error
    if verdict != "ok":
        raise Refusal("ERR_STORAGE_DAMAGED", f"{folder / FILE} is damaged ({verdict}).")
    if not (folder / MEDIA).is_dir():
        return 0  # they lie elsewhere, in a cloud's bucket
    for sha256 in named:
        path = folder / MEDIA / sha256[:2] / sha256
        if not path.exists():
            raise Refusal("ERR_STORAGE_DAMAGED", f"{path} is missing.")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise Refusal("ERR_STORAGE_DAMAGED", f"{path} is not what it was.")
    return len(named)
