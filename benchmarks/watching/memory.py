"""The growth of the server's resident memory over so many sockets that hear nothing more."""

import time

from benchmarks._servers import resident_kb
from benchmarks.watching.processes import process
from benchmarks.watching.served import Served

ENOUGH_KB = 64
FIRST = 100  # sockets before those that are counted: what is made once is not theirs


def of_watchers(served: Served, count: int) -> None:
    """Each has the snapshot of the fleet, and waits for events too."""
    crowds = [{"groups": [{"name": "idle", "count": each, "wish": {"events": True}}]} for each in (FIRST, count)]
    with process("crowd", port=served.port, key=served.key, **crowds[0]):
        before = _settled(served)
        with process("crowd", port=served.port, key=served.key, **crowds[1]):
            watcher = (_settled(served) - before) / count
    moving = len(served.names)
    print(f"memory of an idle watcher of {moving} drivers: {watcher:.0f} KB over {count}, {_share(watcher)}")


def of_phones(served: Served) -> None:
    """Each has said nothing yet."""
    first, others = served.tokens[:FIRST], served.tokens[FIRST:]
    with process("phones", port=served.port, tokens=first, periodS=0):
        before = _settled(served)
        with process("phones", port=served.port, tokens=others, periodS=0):
            phone = (_settled(served) - before) / len(others)
    print(f"memory of a phone's idle socket: {phone:.0f} KB over {len(others)}, {_share(phone)}")


def _share(kb: float) -> str:
    return f"{kb / ENOUGH_KB:.2f} of {ENOUGH_KB} KB"


def _settled(served: Served) -> float:
    time.sleep(2)
    return resident_kb(served.pid)
