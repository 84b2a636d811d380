"""A file of lines that one process alone adds to, each whole or not at all."""

from __future__ import annotations

import os
from errno import ENOSPC
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from time import monotonic, sleep

LET_GO_S = 10.0
"""How long a process that was killed, or what it began, may take until it holds its file no more."""


def alone(path: Path) -> int:
    """The file, opened to write at its end; nobody else has it so until it is closed or this process ends. Raises
    ValueError where another process does not let it go.
    """
    file, patience = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), monotonic() + LET_GO_S
    while True:
        try:
            flock(file, LOCK_EX | LOCK_NB)
            return file
        except BlockingIOError:
            if monotonic() > patience:
                os.close(file)
                raise ValueError(f"{path} is in use: another process drives this run, or compares it") from None
            sleep(0.05)


def append(file: int, line: bytes) -> None:
    """A whole line or, where the disk is full, none of it: half a one would spoil the next. Raises OSError."""
    line, before = line + b"\n", os.fstat(file).st_size
    if os.write(file, line) < len(line):
        os.ftruncate(file, before)
        raise OSError(ENOSPC, "the state file cannot be written to its end")
