"""Makes sure that files and folders are on the disk, and not only in the system's cache."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """A file's bytes, or the names in a folder. Raises ``OSError`` where they did not get there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder that is not there, and those above it; each has its name on the disk. Raises ``OSError``."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        try:
            sync(path.parent)
        except OSError:
            path.rmdir()  # found by the next start, it would be taken for one whose name is on the disk
            raise


def write_again(path: Path) -> None:
    """Write what a file holds over itself, and sync it. After an fsync that failed, what is read may be in the system's
    memory alone: it counts as written there, and another fsync does nothing for it. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        at = 0
        while data := os.pread(descriptor, 1 << 20, at):
            at += os.pwrite(descriptor, data, at)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
