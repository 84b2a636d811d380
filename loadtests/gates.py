"""When a load test has failed, and when it says nothing because the load generator was too slow itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.generator import LATE_MS, Own
from loadtests.shapes import ARRIVING, Shape

if TYPE_CHECKING:
    from locust.stats import RequestStats

GATES_MS = {
    ("OPEN", ARRIVING): 250,
    ("POST", "phone positions"): 250,
    ("POST", "phone actions"): 300,
    ("GET", "route"): 500,
    ("WS", "phone connect"): 500,
    ("WS", "phone positions"): 300,
    ("WS", "phone actions"): 300,
    ("WS", "Map connect"): 1_000,
    ("WS", "map sees"): 2_000,
    ("POST", "phone attachments"): 1_500,
    ("GET", "office get_events"): 500,
    ("GET", "office get_routes"): 750,
    ("POST", "office search_orders"): 750,
    ("WS", "Recipient connect"): 1_000,
    ("GET", "recipient page"): 300,
}
"""The 99th percentile of each, in milliseconds. A map shows positions twice a second, so half a second is its own."""
FAILED_SHARE = 0.001
PASSED, FAILED, NOT_MEASURED = 0, 1, 3
"""Exit codes. The last: the generator was the bottleneck, and the figures are its own. (2 is argparse's and make's.)"""


def judge(stats: RequestStats, shape: Shape) -> list[str]:
    """What was too slow, failed too often, or never happened."""
    found = []
    for (method, name), usual in GATES_MS.items():
        limit = usual * shape.patience
        entry = stats.get(name, method)
        if not entry.num_requests:
            found.append(f"{method} {name}: nothing was measured")
            continue
        late, failed = entry.get_response_time_percentile(0.99), entry.num_failures / entry.num_requests
        if late > limit:
            found.append(f"{method} {name}: {late:.0f} ms (99 of 100), {limit:.0f} ms are allowed")
        if failed > FAILED_SHARE:
            found.append(f"{method} {name}: {entry.num_failures} of {entry.num_requests} failed")
    return found


def verdict(found: list[str], own: Own) -> tuple[int, list[str]]:
    """The exit code, and what to say. A generator that is late makes a server look slow, or spares it: either way
    the gates say nothing.
    """
    said = [f"GATE {each}" for each in found] + [own.said()]
    if not own.measured:
        return NOT_MEASURED, [*said, "GENERATOR: it told nothing of itself, so nobody knows whether it kept up"]
    if own.late_ms() > LATE_MS:
        cure = "give it a machine of its own, or more processes (--processes 2)"
        return NOT_MEASURED, [*said, f"GENERATOR: over {LATE_MS:.0f} ms late, so this measured itself; {cure}"]
    return (FAILED, said) if found else (PASSED, [*said, "all gates passed"])
