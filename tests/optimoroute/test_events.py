"""Reading on from a tag: five hundred at a time, nothing left out and nothing twice, while many phones report."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.optimoroute.scenes import AT, action
from tests.serving import Company, Phone

PHONES, BATCHES, MOST = 6, 12, 60
WITHIN_S = 120.0


class Ledger:
    """How many events had certainly been stored, and how many might have been, at any moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun = self.stored = 0

    def begin(self, count: int) -> None:
        with self._lock:
            self.begun += count

    def end(self, count: int) -> None:
        with self._lock:
            self.stored += count


def test_a_page_has_five_hundred_events_and_what_remains_is_exact(company: Company) -> None:
    phone = company.driver("Ana")
    for block in range(6):
        report(phone, [AT + block * 200 + n for n in range(200)])
    pages, tag = [], ""
    while True:
        page = company.v1("get_events", after_tag=tag)
        pages.append((len(page["events"]), page["remainingEvents"]))
        if page["tag"] == tag:
            break
        tag = page["tag"]
    assert pages == [(500, 700), (500, 200), (200, 0), (0, 0)]


def test_readers_of_every_lag_see_the_same_events_once_each_while_many_write(
    company: Company, rng: random.Random
) -> None:
    """Every reader ends with the one list, in order of arrival, and is told at each page how much remains."""
    assert company.client.patch("/api/settings", json={"maxConcurrentRequests": 0}).status_code == 200
    phones = [company.driver(f"Driver {n}") for n in range(PHONES)]
    sizes = [[rng.randint(1, MOST) for _ in range(BATCHES)] for _ in phones]
    expected = {AT + number * 10_000 + n for number, own in enumerate(sizes) for n in range(sum(own))}
    ledger, written = Ledger(), threading.Event()

    def write(number: int) -> None:
        at = AT + number * 10_000
        for size in sizes[number]:
            ledger.begin(size)
            report(phones[number], range(at, at + size))
            ledger.end(size)
            at += size

    def read(first_after: int, every: int) -> list[int]:
        """Begins when so many events are there, and reads a page whenever so many more have come."""
        seen: list[int] = []
        tag, deadline = "", time.monotonic() + WITHIN_S
        while True:
            assert time.monotonic() < deadline, f"{len(seen)} of {len(expected)} were read"
            last = written.is_set()
            due = max(first_after, len(seen) + every)
            if ledger.stored < due and not last:
                written.wait(0.01)
                continue
            stored = ledger.stored
            page = page_after(company, tag)
            begun = ledger.begun
            assert len(page["events"]) <= 500 and (not page["remainingEvents"] or len(page["events"]) == 500)
            seen += [event["unixTimestamp"] for event in page["events"]]
            assert stored <= len(seen) + page["remainingEvents"] <= begun
            if last and not page["events"]:
                assert page["tag"] == tag
                return seen
            again = page_after(company, tag)["events"]  # whoever lost the answer asks again
            assert again[: len(page["events"])] == page["events"]
            tag = page["tag"]

    with ThreadPoolExecutor(PHONES + 4) as pool:
        readers = [pool.submit(read, *lag) for lag in ((0, 1), (0, 40), (700, 300), (len(expected), 500))]
        try:
            for each in [pool.submit(write, number) for number in range(PHONES)]:
                each.result(WITHIN_S)
        finally:
            written.set()
        first, *others = [each.result(WITHIN_S) for each in readers]
    assert len(first) == len(expected) and set(first) == expected
    assert all(other == first for other in others)
    for number, own in enumerate(sizes):  # a phone's own reports arrive in the order in which it sends them
        at = AT + number * 10_000
        assert [each for each in first if at <= each < at + 10_000] == list(range(at, at + sum(own)))


def page_after(company: Company, tag: str) -> dict[str, Any]:
    """Each by a connection of its own: a client is not for several threads."""
    url = f"{company.server.url}/v1/get_events"
    answer = httpx.get(url, params={"key": company.key, "after_tag": tag}, timeout=30, verify=False, trust_env=False)
    page: dict[str, Any] = answer.json()
    assert page["success"], page
    return page


def report(phone: Phone, times: Any) -> None:
    actions = [action("on_duty" if at % 2 else "off_duty", at) for at in times]
    answer = phone.client.post("/driver/v1/actions", json={"actions": actions})
    assert all(each["success"] for each in answer.json()["actions"]), answer.text
