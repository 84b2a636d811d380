"""When a load test has failed."""

from __future__ import annotations

from locust.env import Environment

from loadtests.shapes import ARRIVING, Shape

GATES_MS = {
    ("OPEN", ARRIVING): 250,
    ("POST", "phone positions"): 250,
    ("POST", "phone actions"): 300,
    ("WS", "phone positions"): 300,
    ("WS", "phone actions"): 300,
    ("WS", "map sees"): 2_000,
    ("POST", "phone attachments"): 1_500,
    ("GET", "office get_events"): 500,
    ("POST", "office search_orders"): 750,
    ("GET", "recipient page"): 300,
}
"""The 99th percentile of each, in milliseconds. A map shows positions twice a second, so half a second is its own."""
FAILED_SHARE = 0.001


def judge(environment: Environment, shape: Shape) -> list[str]:
    """What was too slow, failed too often, or never happened."""
    found = []
    for (method, name), usual in GATES_MS.items():
        limit = usual * shape.patience
        entry = environment.stats.get(name, method)
        if not entry.num_requests:
            found.append(f"{method} {name}: nothing was measured")
            continue
        late, failed = entry.get_response_time_percentile(0.99), entry.num_failures / entry.num_requests
        if late > limit:
            found.append(f"{method} {name}: {late:.0f} ms (99 of 100), {limit:.0f} ms are allowed")
        if failed > FAILED_SHARE:
            found.append(f"{method} {name}: {entry.num_failures} of {entry.num_requests} failed")
    return found
