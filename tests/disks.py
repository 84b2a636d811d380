"""Disks of a few megabytes, for tests of what happens when they are full."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system in memory of ``size`` bytes, mounted at ``folder``. Skips the test where that is not allowed."""
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk, and only Linux has this kind")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, timeout=20, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk could not be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], timeout=20, check=True)


@contextlib.contextmanager
def ballast(folder: Path) -> Iterator[None]:
    """While this lasts, there is not a byte left on the disk of ``folder``."""
    stone = folder / "ballast"
    with stone.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    try:
        yield
    finally:
        stone.unlink()
