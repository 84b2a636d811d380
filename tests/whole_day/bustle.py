"""All that an account does beside driving, each thing until the server has taken it: the torture's other traffic."""

import base64
import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from tests.api.files import noise
from tests.serving import Company, Phone, Server, eventually

DAY = "2026-03-02"
MARCH_S = 1_772_323_200.0  # 2026-03-01: old enough to be merged as soon as a server starts
PATIENCE_S = 180.0


class Bustle:
    """One company with one phone. ``doing`` says what is under way, for whoever wants to interrupt it."""

    def __init__(self, server: Server, seed: int) -> None:
        self.company: Company = server.account()
        self.phone: Phone = self.company.driver("Bustling", externalId="B1", serial="B1")
        self.phone.client.timeout = self.company.client.timeout = httpx.Timeout(10)
        self.doing = ""
        self.files: dict[str, bytes] = {}
        self.batches: list[list[dict[str, Any]]] = []
        self.orders: list[str] = []
        self.plans: list[int] = []
        self.sent = 0  # positions, whether or not they were acknowledged
        self._compared: Counter[str] = Counter()
        self._rng, self._rng_of_checks = random.Random(seed), random.Random(seed)
        self._moments = itertools.count()
        self._ended = threading.Event()
        self.trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), f"{self.doing} did not end"
        self.reaches(lambda: True)

    def reaches(self, moment: Callable[[], Any]) -> None:
        """Wait for a moment; raises what troubled the bustle, if it came to an end by itself."""
        eventually(
            lambda: self.trouble or moment(), within_s=PATIENCE_S, what=f"a moment to kill at, amid {self.doing},"
        )
        if self.trouble is not None:
            raise self.trouble

    @property
    def acknowledged(self) -> int:
        """How many positions."""
        return sum(len(batch) for batch in self.batches)

    def check(self, *, old: int | None = None) -> str:
        """What was acknowledged is there, as what is sent again is known. In a line, how much was compared.

        All that came since the last time, and of what is older so many of each, or all.
        """
        counts = []
        for name, compare in (("batches", self._is_there), ("files", self._is_kept), ("orders", self._are_found)):
            kept = list(getattr(self, name))
            new = self._compared[name] if old is not None else 0
            chosen = self._rng_of_checks.sample(kept[:new], min(old or 0, new)) + kept[new:]
            compare(chosen)
            self._compared[name] = len(kept)
            counts.append(f"{len(chosen)} {name}")
        if old is None:
            for planning in self.plans:
                eventually(
                    lambda id=planning: self._planned(id), within_s=PATIENCE_S, what=f"the end of planning {planning}"
                )
            counts.append(f"{len(self.plans)} plans")
        return ", ".join(counts)

    def _is_there(self, batches: list[list[dict[str, Any]]]) -> None:
        for batch in batches:
            told = self._patiently(lambda batch=batch: self._positions(batch)).json()
            assert (told["accepted"], told["duplicates"]) == (0, len(batch)), f"acknowledged and lost: {told}"

    def _is_kept(self, ids: list[str]) -> None:
        for id in ids:
            told = self._patiently(lambda id=id: self._form(id, self.files[id]))
            assert told.status_code == 200, f"acknowledged and lost: {told.text}"

    def _are_found(self, numbers: list[str]) -> None:
        for first in range(0, len(numbers), 500):
            asked = [{"orderNo": number} for number in numbers[first : first + 500]]
            found = self._patiently(lambda asked=asked: self._v1("get_orders", {"orders": asked})).json()
            assert len(found["orders"]) == len(asked) and all(each["success"] for each in found["orders"]), found

    def _run(self) -> None:
        works = [self.positions, self.positions, self.by_form, self.in_parts, self.order, self.plan]
        try:
            while not self._ended.is_set():
                work = self._rng.choice(works)
                self.doing = work.__name__
                work()
        except BaseException as trouble:
            self.trouble = trouble

    def positions(self) -> None:
        """Now and then so many that they fill the log, a second apart, so that no run reaches what is yet to come."""
        count = self._rng.choice([1, 50, 1000])
        batch = [
            {"timestamp": MARCH_S + next(self._moments), "latitude": 45.8, "longitude": 16.0} for _ in range(count)
        ]
        self.sent += count
        if answer := self._insist(lambda: self._positions(batch)):
            told = answer.json()
            assert told["accepted"] + told["duplicates"] == count, told
            self.batches.append(batch)

    def by_form(self) -> None:
        id, content = str(uuid.uuid4()), noise((self._rng.randrange(20, 300), 100))
        if self._insist(lambda: self._form(id, content)):
            self.files[id] = content

    def in_parts(self) -> None:
        """By tus, each part for itself; from anew where the server has forgotten the upload."""
        id, content = str(uuid.uuid4()), noise((200, self._rng.randrange(50, 300)))
        while made := self._insist(lambda: self._begin(id, len(content))):
            at, offset = made.headers["location"], 0
            while offset < len(content):
                far = self._insist(lambda at=at: self.phone.client.head(at, headers=TUS))
                if far is None:
                    return
                if far.status_code != 200:
                    break
                offset = int(far.headers["upload-offset"])
                part = content[offset : offset + 20_000]
                if part:
                    self._once(lambda at=at, offset=offset, part=part: self._go_on(at, offset, part))
            else:
                self.files[id] = content
                return

    def order(self) -> None:
        number = f"B-{uuid.uuid4().hex[:12]}"
        place = {"locationName": "Place", "address": "Street 1", "latitude": 45.8 + self._rng.random() / 50}
        place |= {"longitude": 15.95 + self._rng.random() / 20, "acceptPartialMatch": True}
        body = {"operation": "MERGE", "orderNo": number, "date": DAY, "type": "D", "duration": 2, "location": place}
        if self._insist(lambda: self._v1("create_or_update_orders", {"orders": [body]})):
            self.orders.append(number)

    def plan(self) -> None:
        """Left under way."""
        answer = self._once(lambda: self._v1("start_planning", {"date": DAY}))
        if answer is not None and answer.status_code == 200 and answer.json()["success"]:
            self.plans.append(answer.json()["planningId"])

    def _planned(self, planning: int) -> bool:
        told = self.company.v1("get_planning_status", planningId=planning)
        assert told["success"], told
        return told["status"] in "FCE"

    def _positions(self, batch: list[dict[str, Any]]) -> httpx.Response:
        return self.phone.client.post("/driver/v1/positions", json={"positions": batch})

    def _form(self, id: str, content: bytes) -> httpx.Response:
        file = {"file": ("a.png", content, "image/png")}
        return self.phone.client.post("/driver/v1/attachments", data={"id": id, "kind": "image"}, files=file)

    def _begin(self, id: str, length: int) -> httpx.Response:
        meta = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in {"id": id, "kind": "image"}.items())
        headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": meta}
        return self.phone.client.post("/driver/v1/uploads", headers=headers)

    def _go_on(self, at: str, offset: int, part: bytes) -> httpx.Response:
        headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return self.phone.client.patch(at, headers=headers, content=part)

    def _v1(self, method: str, body: dict[str, Any]) -> httpx.Response:
        return self.company.client.post(f"/v1/{method}", params={"key": self.company.key}, json=body)

    def _once(self, send: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            return send()
        except httpx.TransportError:
            self._ended.wait(0.05)
            return None

    def _insist(self, send: Callable[[], httpx.Response]) -> httpx.Response | None:
        """Until it is answered by other than that it cannot be served now; None where it is over before."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._ended.is_set():
            answer = self._once(send)
            if answer is not None and answer.status_code not in NOT_NOW:
                known = answer.status_code < 300 or answer.status_code == 404
                assert known and b'"success":false' not in answer.content, answer.text
                return answer
            assert time.monotonic() < deadline, f"{self.doing} was never taken: {answer and answer.text}"
            self._ended.wait(0.05)
        return None

    def _patiently(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """The answer of a server that nobody kills meanwhile, though others keep it busy."""
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self._once(send)) is None or answer.status_code in NOT_NOW:
            assert time.monotonic() < deadline, f"not answered in {PATIENCE_S} s: {answer and answer.text}"
            time.sleep(0.05)
        return answer


NOT_NOW = (423, 429, 502, 503, 507)
TUS = {"Tus-Resumable": "1.0.0"}
