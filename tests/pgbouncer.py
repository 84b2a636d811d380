"""A real PgBouncer in front of a test's PostgreSQL, on a socket in the same folder, as the same user."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.postgresql import OWNER, Cluster

PORT = 6432
START_S = 40.0


@contextmanager
def pooled(cluster: Cluster, mode: str) -> Iterator[str]:
    """What comes in place of the server's own socket in a URL. ``mode``: session, transaction or statement."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not on this machine: scripts/system-packages pgbouncer installs it")
    folder = cluster.folder / mode
    folder.mkdir()
    (folder / "users").write_text(f'"{OWNER}" ""\n')
    settings = {
        "pool_mode": mode,
        "default_pool_size": 60,  # 15 for each process of ours; beyond, it lets them wait
        "listen_port": PORT,
        "unix_socket_dir": folder,
        "auth_type": "trust",
        "auth_file": folder / "users",
        "logfile": folder / "log",
    }
    lines = ["[databases]", f"* = host={cluster.folder}", "[pgbouncer]"]
    (folder / "ini").write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in settings.items())]))
    as_whom: dict[str, Any] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        owner = pwd.getpwuid(cluster.folder.stat().st_uid)
        as_whom = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([program, "-q", str(folder / "ini")], cwd=folder, **quiet, **as_whom)
    try:
        _wait(folder / f".s.PGSQL.{PORT}", folder / "log")
        yield f"host={folder}&port={PORT}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _wait(place: Path, log: Path) -> None:
    """Until it takes connections: its socket is there a moment before."""
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))
            return
        assert time.monotonic() < deadline, log.read_text() if log.exists() else "PgBouncer does not start"
        time.sleep(0.02)
