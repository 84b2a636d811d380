"""A machine whose disk and clock fail on demand: ``faults.c`` between a program and the C library.

A program that is started with ``Machine.environment`` runs as ever until it is told otherwise, which may be while it
runs: fail the n-th write, let each fsync take seconds, end with SIGKILL at the n-th change of a file, set the clock
back. Children inherit it.
"""

import atexit
import errno
import functools
import mmap
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("faults.c")
_TEXT = 64
_FIELDS = (
    *("calls", "die_at", "die_after", "torn", "writes", "fail_write", "fail_writes"),
    *("syncs", "fail_sync", "fail_syncs", "die_sync", "sync_ms", "error", "clock_ms"),
)
FOREVER = 1 << 40


class Machine:
    """``folder`` is where the files are that it is about; with ``log`` every change of them is written down there.

    ``orders`` says what is to happen from now on, counted anew:

    ``only``: files whose path holds this text are counted and failed, by default all; ``spared``: those whose path
    ends with this are not;
    ``die_at``, ``die_after``: SIGKILL instead of the n-th change of a file (``torn=1``: in the middle of the first
    write from there on), or right after it; ``die_sync``: right after the n-th fsync;
    ``fail_write`` and ``fail_writes``, ``fail_sync`` and ``fail_syncs``: the first that fails with ``error``, and how
    many from there on;
    ``sync_ms``: how long each fsync takes, unless other orders come meanwhile; ``clock_ms``: how far the clock of the
    day is set forward.
    """

    def __init__(self, folder: Path, place: Path, log: Path | None = None) -> None:
        place.mkdir(parents=True, exist_ok=True)
        path = place / "orders"
        path.write_bytes(bytes(2 * _TEXT + 8 * len(_FIELDS)))
        with path.open("r+b") as file:
            self._block = mmap.mmap(file.fileno(), 0)
        self.environment = {
            "LD_PRELOAD": str(library()),
            "FAULTS_FOLDER": f"{folder}/",
            "FAULTS_ORDERS": str(path),
        }
        if log is not None:
            log.touch()
            self.environment["FAULTS_LOG"] = str(log)

    def orders(self, only: str = "", spared: str = "", **orders: int) -> None:
        values = {"fail_writes": FOREVER, "fail_syncs": FOREVER, "error": errno.EIO} | orders
        texts, numbers = (only.encode(), spared.encode()), (values.get(field, 0) for field in _FIELDS)
        self._block[:] = struct.pack(f"={_TEXT}s{_TEXT}s{len(_FIELDS)}q", *texts, *numbers)

    def count(self, field: str) -> int:
        """How many ``calls``, ``writes`` or ``syncs`` there were since the last orders."""
        at = 2 * _TEXT + 8 * _FIELDS.index(field)
        number: int = struct.unpack("=q", self._block[at : at + 8])[0]
        return number


@functools.cache
def library() -> Path:
    """The compiled source. Skips the test where it cannot be had."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("a disk that fails on demand needs Linux and a C compiler")
    folder = Path(tempfile.mkdtemp(prefix="codriver-faults-"))
    atexit.register(shutil.rmtree, folder, True)
    made = folder / "faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-o", str(made), str(SOURCE)]
    compiled = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    if compiled.returncode:
        pytest.skip(f"a disk that fails on demand cannot be compiled here: {compiled.stderr[-500:]}")
    return made
