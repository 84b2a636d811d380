"""Many phones that report at once while readers of every lag page through the events, at one server or at several."""

import itertools
import random
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.optimoroute.scenes import AT, action
from tests.serving import Company, Phone, eventually

PHONES, BATCHES, MOST = 6, 12, 60
APART = 10_000  # seconds between what one phone reports and the next
WITHIN_S = 120.0


class Rush:
    """One account, as its office uses it at each server; phones and readers are dealt out over them."""

    def __init__(self, companies: Sequence[Company], rng: random.Random) -> None:
        self._companies = companies
        self._sizes = [[rng.randint(1, MOST) for _ in range(BATCHES)] for _ in range(PHONES)]
        self._lock, self._written = threading.Lock(), threading.Event()
        self._begun = self._stored = 0  # how many events may be, and certainly are, stored
        _without_limit(companies)
        self._phones = [self._phone(number) for number in range(PHONES)]

    def _phone(self, number: int) -> Phone:
        paired = self._companies[0].driver(f"Driver {number}")
        return Phone(self._at(number).server, paired.driver_id, paired.token)

    def _at(self, number: int) -> Company:
        return self._companies[number % len(self._companies)]

    def run(self) -> None:
        """Every reader ends with the one list, in order of arrival, and is told at each page how much remains."""
        expected = [self._times(number) for number in range(PHONES)]
        total = sum(map(len, expected))
        lags = [*itertools.product((0,), (1, 40)), (total // 3, 300), (total, 500)]
        with ThreadPoolExecutor(PHONES + len(lags)) as pool:
            readers = [pool.submit(self._read, self._at(n), *lag) for n, lag in enumerate(lags)]
            try:
                for each in [pool.submit(self._write, number) for number in range(PHONES)]:
                    each.result(WITHIN_S)
            finally:
                self._written.set()
            first, *others = [each.result(WITHIN_S) for each in readers]
        assert len(first) == total and all(other == first for other in others)
        for times in expected:  # a phone's own reports arrive in the order in which it sends them
            assert [each for each in first if each in times] == list(times)

    def _times(self, number: int) -> range:
        return range(AT + number * APART, AT + number * APART + sum(self._sizes[number]))

    def _write(self, number: int) -> None:
        left = list(self._times(number))
        for size in self._sizes[number]:
            with self._lock:
                self._begun += size
            report(self._phones[number], left[:size])
            with self._lock:
                self._stored += size
            del left[:size]

    def _read(self, company: Company, first_after: int, every: int) -> list[int]:
        """Begins when so many events are there, and reads a page whenever so many more have come."""
        seen: list[int] = []
        tag, deadline = "", time.monotonic() + WITHIN_S
        while True:
            assert time.monotonic() < deadline, f"only {len(seen)} events were read"
            last = self._written.is_set()
            if self._stored < max(first_after, len(seen) + every) and not last:
                self._written.wait(0.01)
                continue
            page = self._page(company, tag, len(seen))
            seen += [event["unixTimestamp"] for event in page["events"]]
            if last and not page["events"]:
                assert page["tag"] == tag
                return seen
            again = page_after(company, tag)["events"]  # whoever lost the answer asks again
            assert again[: len(page["events"])] == page["events"]
            tag = page["tag"]

    def _page(self, company: Company, tag: str, seen: int) -> dict[str, Any]:
        stored = self._stored
        page = page_after(company, tag)
        count, remaining = len(page["events"]), page["remainingEvents"]
        assert count == 500 or (count < 500 and remaining == 0)
        assert stored <= seen + count + remaining <= self._begun
        return page


def page_after(company: Company, tag: str) -> dict[str, Any]:
    """Each by a connection of its own: a client is not for several threads."""
    url = f"{company.server.url}/v1/get_events"
    answer = httpx.get(url, params={"key": company.key, "after_tag": tag}, timeout=60, verify=False, trust_env=False)
    page: dict[str, Any] = answer.json()
    assert page["success"], page
    return page


def report(phone: Phone, times: Iterable[int]) -> None:
    actions = [action("on_duty" if at % 2 else "off_duty", at) for at in times]
    answer = phone.client.post("/driver/v1/actions", json={"actions": actions})
    assert all(each["success"] for each in answer.json()["actions"]), answer.text


def _without_limit(companies: Sequence[Company]) -> None:
    """As many requests at once as there are threads, at every server."""
    companies[0].client.patch("/api/settings", json={"maxConcurrentRequests": 0}).raise_for_status()
    for company in companies:
        eventually(lambda client=company.client: client.get("/api/settings").json()["maxConcurrentRequests"] == 0)
