"""The machine's own Chromium, for tests that look at pages."""

import ctypes
import shutil
import sys

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23  # linux/prctl.h, linux/capability.h


def program() -> str:
    """Its path. Skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not on this machine: scripts/system-packages chromium installs it")
    _no_precedence()
    return found


def _no_precedence() -> None:
    """What this process starts from now on may not raise its own priority. Where it runs as root, Chromium does, and
    takes the processors from the tests beside it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)  # refused to all but root, as it should be
