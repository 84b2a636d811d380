"""How long a position takes from the phone's sending to the watchers of a fleet that moves.

2 Hz is taken strictly: each driver moves twice a second and its phone sends each fix by itself, over a websocket of its
own; and each watcher is told twice a second. The delay is from the moment in which the phone writes the fix (its
timestamp) over its commit to the disk until the whole frame that holds it has come to a watcher. A watcher is told at
most every 500 ms, so that half a second of it is the pace asked for.
"""

import time

from benchmarks._servers import processor_s
from benchmarks.watching.processes import boxes, process, quantile, quantiles
from benchmarks.watching.served import Served

ENOUGH_MS = 1000


def delay(served: Served, whole: int, boxed: int, share: float, period_s: float, seconds: float) -> None:
    """``whole`` watchers of the whole fleet, and ``boxed`` whose box holds this ``share`` of it."""
    groups = [{"name": "whole", "count": whole, "wish": {}}]
    if boxed:
        groups.append({"name": "boxed", "count": boxed, "wish": {"bbox": boxes(boxed, share)}})
    fleet = process("phones", port=served.port, tokens=served.tokens, periodS=period_s)
    with fleet as drivers, process("crowd", port=served.port, key=served.key, groups=groups) as crowd:
        time.sleep(3)
        for each in (drivers, crowd):
            each.say("begin")
        began, used_s = time.monotonic(), processor_s(served.pid)
        time.sleep(seconds)
        for each in (drivers, crowd):
            each.say("end")
        sent, told = drivers.hear(), crowd.hear()
        wall_s, used_s = time.monotonic() - began, processor_s(served.pid) - used_s
    moving = len(served.tokens)
    print(f"{moving} drivers, a fix each every {period_s} s; {whole} watchers of all, {boxed} of {share:.0%} in a box")
    print(
        f"  sent {sent['sent'] / wall_s:,.0f} positions a second, late by {sent['lateMs']:.0f} ms at most; refused"
        f" {sent['refused']}, lost sockets {sent['gone']}; acknowledged: {quantiles(sent['acksMs'])}"
    )
    for name, heard in told.items():
        pace = heard["frames"] / wall_s / max(1, whole if name == "whole" else boxed)
        size = heard["bytes"] / max(1, heard["frames"])
        print(f"  {name}: {pace:.2f} frames of {size:,.0f} bytes a second and watcher, closed {heard['codes']}")
        print(f"  {name}, from phone to watcher: {quantiles(heard['delaysMs'])}")
    print(f"  the server used {used_s / wall_s:.2f} of a processor")
    worst = max(quantile(heard["delaysMs"], 0.99) for heard in told.values() if heard["frames"])
    print(f"  p99 {worst:.0f} ms: {worst / ENOUGH_MS:.2f} of {ENOUGH_MS} ms")
