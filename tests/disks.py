"""Disks of a few megabytes, for tests of what happens when they are full."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system in memory of ``size`` bytes, mounted at ``folder``, in which everybody may write. Skips the test
    where that is not allowed: it takes root, or a sudo that asks for no password.
    """
    folder.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not sys.platform.startswith("linux") or not shutil.which((*as_root, "mount")[0]):
        pytest.skip("only root may mount a small disk, and only Linux has this kind")
    mount = [*as_root, "mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, timeout=100, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk could not be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([*as_root, "umount", "--lazy", str(folder)], timeout=100, check=True)


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
