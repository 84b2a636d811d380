"""What the system knows of processes that tests did not begin themselves."""

import contextlib
from pathlib import Path


def children(pid: int, command: bytes = b"") -> list[int]:
    """The processes that a process began, by number; those whose command line holds this."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and command in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return sorted(found)


def gone(pid: int) -> bool:
    """Whether it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
