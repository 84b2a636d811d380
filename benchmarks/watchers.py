"""What watchers of a moving fleet cost, and how late it reaches them. Prints ratios of what was measured in one run.

    python benchmarks/watchers.py [--parts delay,memory] [--watchers 500] [--drivers 2000] [--seconds 8]

* `frames`: the processor time of a frame, over that of a bare server that writes prebuilt bytes;
* `delay`: from a phone's sending over the commit to the watchers, while every driver moves twice a second;
* `boxes`: what watchers of small boxes cost, as the fleet around their boxes grows;
* `memory`: of an idle watcher and of a phone's idle socket;
* `slow`: whether watchers that read slowly or not at all are felt by the others;
* `storm`: how long it takes until thousands are back after a restart.

How each is measured is told by its file in `watching/`.
"""

import argparse
import asyncio

import uvloop

from benchmarks.watching import boxes, delay, frames, memory, slow, storm
from benchmarks.watching.served import served
from benchmarks.watching.sockets import many_files

PARTS = ("frames", "delay", "boxes", "memory", "slow", "storm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="which, in which order")
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--drivers", type=int, default=2000)
    parser.add_argument("--period", type=float, default=0.5, help="seconds between two fixes of a driver")
    parser.add_argument("--idle", type=int, default=1500, help="sockets whose memory is measured")
    parser.add_argument("--returning", type=int, default=5000, help="watchers that come back after a restart")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        asyncio.run(frames.bare(options.bare))
        return
    many_files()
    for part in options.parts.split(","):
        print(f"\n{part}")
        run(part, options)


def run(part: str, options: argparse.Namespace) -> None:
    match part:
        case "frames":
            with served(50) as server:
                uvloop.run(frames.frames(server, options.watchers, options.seconds))
        case "delay":
            for share_of_boxes in (0.0, 0.8):
                boxed = int(options.watchers * share_of_boxes)
                with served(options.drivers) as server:
                    delay.delay(server, options.watchers - boxed, boxed, 0.05, options.period, options.seconds)
        case "boxes":
            uvloop.run(boxes.small_boxes(options.watchers, options.seconds / 2))
        case "memory":
            with served(options.drivers) as server:
                memory.of_watchers(server, options.idle)
            with served(memory.FIRST + options.idle) as server:
                memory.of_phones(server)
        case "slow":
            with served(200) as server:
                slow.slow(server, options.watchers, 50, options.period, options.seconds)
        case "storm":
            with served(options.drivers) as server:
                storm.storm(server, options.returning)
        case _:
            raise SystemExit(f"there is no part {part}; there are {', '.join(PARTS)}")


if __name__ == "__main__":
    main()
