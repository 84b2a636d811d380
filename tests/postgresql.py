"""A real PostgreSQL for tests, on a socket of its own, as a user who may start one: it refuses to run as root."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend.store.database import Database
from tests.serving import eventually

OWNER = "codriver"
FAST = ("fsync=off", "full_page_writes=off")
_COMMON = ("listen_addresses=", "max_connections=200", "shared_buffers=32MB", "autovacuum=off", "max_wal_size=1GB")


class Cluster:
    """A server that can be stopped, killed and started again; ``settings`` as in postgresql.conf.

    With ``leader`` it is a standby of that one, from a copy of what it has now.
    """

    def __init__(self, *settings: str, leader: "Cluster | None" = None, place: Path | None = None) -> None:
        self._programs = _programs()
        self._user = _unprivileged()
        self.folder = Path(
            tempfile.mkdtemp(prefix="codriver-pg-", dir=place)
        )  # short: a socket's path has 107 characters
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._settings = (*_COMMON, *settings, f"unix_socket_directories={self.folder}")
        self._names = itertools.count(1)
        where = f"--pgdata={self.folder / 'data'}"
        if leader is not None:
            whose = (f"--host={leader.folder}", f"--username={OWNER}")
            self._run("pg_basebackup", where, *whose, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
            return
        how = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", f"--username={OWNER}")
        self._run("initdb", where, *how)

    def start(self) -> None:
        options = " ".join(f"-c {setting}" for setting in self._settings)
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-D", str(self.folder / "data"), "-w", "-t", "60", "-l", str(log), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """``immediate`` is like a crash."""
        self._run("pg_ctl", "stop", "-D", str(self.folder / "data"), "-m", mode, "-w", "-t", "60")

    def kill(self) -> None:
        """All of its processes at once, like a machine that loses its power."""
        for pid in (self.pid, *children(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        """Of the process that starts all others."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def runs(self) -> bool:
        try:
            return bool(self.ask("SELECT true"))
        except psycopg.OperationalError:
            return False

    def lives(self) -> bool:
        """Whether its process is there, which may not take connections just now."""
        try:
            leader = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            return Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (OSError, IndexError):  # or it is just being written
            return False

    def promote(self) -> None:
        """From now on it is the one that writes."""
        self._run("pg_ctl", "promote", "-D", str(self.folder / "data"), "-w", "-t", "60")

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    def remove(self) -> None:
        with contextlib.suppress(AssertionError):  # it does not run
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """With more patience for a machine that is busy with other tests than a client has by itself: a server that is
        down is known at once in any case."""
        return f"postgresql://{OWNER}@/{name}?host={self.folder}&connect_timeout=60"

    def empty(self) -> str:
        """The URL of a new database with nothing in it."""
        return self._database("template1")

    def fresh(self) -> str:
        """The URL of a new database with our tables, empty."""
        if not self._has("pattern"):
            self.execute('CREATE DATABASE "pattern"')
            Database.open(self.url("pattern")).close()
            # A copy can be made when nobody is connected; the server notices some time after us that we are not.
            left = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'pattern'"
            eventually(lambda: self.ask(left) == 0, within_s=60, what="the end of all connections")
        return self._database("pattern")

    def drop(self, url: str) -> None:
        """Whoever is connected to it is cut off, and waited for."""

        def dropped() -> bool:
            try:
                self.execute(f'DROP DATABASE "{name_of(url)}" WITH (FORCE)')
            except psycopg.errors.ObjectInUse:  # the server waits for them for five seconds itself
                return False
            return True

        eventually(dropped, within_s=60, what="the end of all connections")

    def execute(self, statement: str, name: str = "postgres") -> None:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(statement)

    def ask(self, question: str, name: str = "postgres") -> Any:
        """The first value of the first row."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            row = connection.execute(question).fetchone()
        return row and row[0]

    def _has(self, name: str) -> bool:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone())

    def _database(self, pattern: str) -> str:
        name = f"test{next(self._names)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{pattern}"')
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        as_whom: dict[str, Any] = {}
        if self._user is not None:
            as_whom = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        with (self.folder / "said").open("ab") as said:  # not a pipe: the server would inherit it and hold it open
            ended = subprocess.run(
                [str(self._programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C"},
                timeout=90,
                check=False,
                **as_whom,
            )
        assert ended.returncode == 0, f"{program}: {(self.folder / 'said').read_text()[-2000:]}"


def cluster(*settings: str, place: Path | None = None) -> Iterator[Cluster]:
    """A running server, gone when it is over. For a fixture. ``place`` is the folder to make its own in."""
    made = Cluster(*settings, place=place)
    try:
        made.start()
        yield made
    finally:
        made.remove()


running = contextlib.contextmanager(cluster)
"""The same for a ``with``."""


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((place / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(place.name))
    return sorted(found)


def name_of(url: str) -> str:
    """The database's."""
    return url.rpartition("?")[0].rpartition("/")[2]


def _programs() -> Path:
    """Where the server's programs are: the newest, or those on the path."""
    installed = Path("/usr/lib/postgresql")
    versions = sorted((int(path.name), path / "bin") for path in installed.glob("*") if path.name.isdecimal())
    if versions:
        return versions[-1][1]
    found = shutil.which("initdb")
    if found is None:
        pytest.skip("PostgreSQL is not on this machine: scripts/system-packages postgresql installs it")
    return Path(found).resolve().parent


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run the server as; None where we need not change."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("there is no user but root to run PostgreSQL as")
