"""How long it takes until all watchers are back after a restart: one that was announced, and one that was not."""

import time

from benchmarks._servers import processor_s
from benchmarks.watching.processes import process, quantiles
from benchmarks.watching.served import Served

ENOUGH_S = 30


def storm(served: Served, count: int) -> None:
    with process("phones", port=served.port, tokens=served.tokens, periodS=1.0):
        time.sleep(3)  # so that everybody is somewhere
    wish = {"events": True, "after": 0}
    with process("returning", port=served.port, key=served.key, count=count, wish=wish) as crowd:
        restarts = (("a kill, and nobody waits", served.kill), ("a restart that tells when to return", served.stop))
        for name, stop in restarts:
            crowd.say("begin")
            stop()
            served.again()
            up_at = time.time()
            crowd.say("end")
            told = crowd.hear()
            took_ms = [(at - up_at) * 1000 for at in told["at"] if at > up_at]
            print(f"{count} watchers of {len(served.names)} drivers, after {name}:")
            last_s, each_us = max(took_ms) / 1000, processor_s(served.pid) / count * 1e6
            print(
                f"  back with a snapshot after {quantiles(took_ms)}; all after {last_s / ENOUGH_S:.2f} of {ENOUGH_S} s"
            )
            print(f"  {told['hinted']} were told when to come; tries in vain: {told['inVain'] or 'none'}")
            print(f"  the server used {each_us:.0f} µs of a processor for each, its own start included")
