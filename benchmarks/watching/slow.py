"""Whether watchers that read slowly, or not at all, are felt by those who read, and what becomes of them."""

import time

from benchmarks._servers import metric, resident_kb
from benchmarks.watching.processes import Process, process, quantile, quantiles
from benchmarks.watching.served import Served

SLOW_BYTES_S = 10_000
ENOUGH = 1.2  # of the others' p99 without them


def slow(served: Served, fast: int, stuck: int, period_s: float, seconds: float) -> None:
    """``stuck`` watchers that read nothing, and as many that read 10 KB a second, among ``fast`` ones."""
    dawdlers = [
        {"name": "stuck", "count": stuck, "wish": {}, "stuck": True},
        {"name": "slow", "count": stuck, "wish": {}, "bytes_a_second": SLOW_BYTES_S},
    ]
    readers = [{"name": "fast", "count": fast, "wish": {}}]
    with (
        process("phones", port=served.port, tokens=served.tokens, periodS=period_s),
        process("crowd", port=served.port, key=served.key, groups=readers) as crowd,
    ):
        time.sleep(3)
        before = _delays_ms(crowd, seconds)
        kb = resident_kb(served.pid)
        with process("crowd", port=served.port, key=served.key, groups=dawdlers) as others:
            others.say("begin")
            after = _delays_ms(crowd, seconds)
            more_kb = resident_kb(served.pid) - kb
            time.sleep(max(0.0, 30 - seconds))
            others.say("end")
            told, dropped = others.hear(), metric(served.port, "codriver_watchers_dropped")
    ratio = quantile(after, 0.99) / quantile(before, 0.99)
    print(f"{fast} watchers who read, from phone to watcher: {quantiles(before)}")
    print(f"  beside {stuck} who read nothing and {stuck} who read {SLOW_BYTES_S // 1000} KB/s: {quantiles(after)}")
    print(f"  p99 {ratio:.2f} of that without them (aim {ENOUGH}); {more_kb / 2 / stuck:.0f} KB for each of them")
    print(
        f"  the server closed {dropped:.0f}; the slow ones had {told['slow']['frames'] / stuck:.1f} frames each,",
        end=" ",
    )
    print(f"and {len(told['slow']['codes'])} of them were closed")


def _delays_ms(crowd: Process, seconds: float) -> list[float]:
    crowd.say("begin")
    time.sleep(seconds)
    crowd.say("end")
    found: list[float] = crowd.hear()["fast"]["delaysMs"]
    return found
