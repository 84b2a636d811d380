"""The account behind the fleet: what the simulator does in the office's name, over the public wire and with the
account's own key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import msgspec

from simulator.line import Answer
from simulator.town import TIME_ZONE, town
from simulator.transport import Client, http_client
from simulator.wire import Position, Route, encode

T = TypeVar("T")
PLANNED_WITHIN_S = 180.0
PATIENCE_S = 45.0
"""How long a server that does not answer is asked again; one that says that it is busy, for some 15 s."""
BULK = 500


class SetupFailed(Exception):
    """The server did not do what the simulator needs before a fleet can drive; the message says what and why."""


class StoredPosition(Position, frozen=True, omit_defaults=True):
    """A fix as the server gives it back."""


class _Track(msgspec.Struct, frozen=True):
    items: tuple[StoredPosition, ...]
    cursor: str | None = None


class _Page(msgspec.Struct, frozen=True):
    items: tuple[dict[str, Any], ...]
    cursor: str | None = None


class _Routes(msgspec.Struct, frozen=True):
    items: tuple[Route, ...]


_track = msgspec.json.Decoder(_Track).decode
_page = msgspec.json.Decoder(_Page).decode
_routes = msgspec.json.Decoder(_Routes).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


class Account:
    """Calls of ``/api`` and ``/v1`` with a tenant key. Every method raises SetupFailed where the server says no."""

    def __init__(self, client: Client, key: str) -> None:
        self._client, self._key = client, key
        self._bearer = {"Authorization": f"Bearer {key}"}

    async def prepare(self, date: str, seed: int, drivers: int, orders: int) -> None:
        """Give the account a fleet, orders and a sent plan for the date, each only where it has none."""
        await self.staff(seed, date, drivers)
        if any(route.sent for route in await self.routes(date)):
            return
        if not [order async for order in self._items("/api/orders", limit=1, date=date)]:
            made = town(seed, date, drivers, orders).orders
            for begin in range(0, len(made), BULK):
                await self._bulk(made[begin : begin + BULK])
        if not await self.routes(date):
            await self.plan(date, balancing="ON_FORCE")
        await self.send(date)

    async def staff(self, seed: int, date: str, drivers: int) -> None:
        """Give an account without drivers a fleet, and the time zone its working hours are meant in."""
        if [driver async for driver in self._items("/api/drivers", limit=1)]:
            return
        settings = _read(_object, await self._api("GET", "/api/settings"))
        if settings.get("timeZone", "UTC") == "UTC":
            await self._api("PATCH", "/api/settings", json={"timeZone": TIME_ZONE})
        await self._api("PUT", "/api/fleet", json=town(seed, date, drivers, 0).fleet)

    async def send(self, date: str) -> None:
        """Send the plan of a date to its drivers."""
        await self._api("POST", f"/api/plans/{date}/send")

    async def cancel(self, order_id: str) -> None:
        """The office calls an order off."""
        update = {"id": order_id, "data": {"status": "cancelled"}}
        told = await self.v1("POST", "update_completion_details", {"updates": [update]})
        if not told["updates"][0]["success"]:
            raise SetupFailed(f"order {order_id} was not cancelled: {told['updates'][0]}")

    async def assign(self, order_id: str, driver: str) -> None:
        """An order is to be of this driver (named by its ``externalId``) when it is planned next."""
        await self._bulk([{"operation": "UPDATE", "id": order_id, "assignedTo": {"externalId": driver}}])

    async def routes(self, date: str) -> list[Route]:
        """The routes of a date, planned or sent."""
        return list(_read(_routes, await self._api("GET", "/api/routes", params={"date": date})).items)

    async def trackings(self, date: str) -> dict[str, str]:
        """By order id: the code under which its recipient sees each order of a date that was sent."""
        found = {}
        async for order in self._items("/api/orders", date=date):
            if "trackingUrl" in order:
                found[order["id"]] = order["trackingUrl"].rpartition("/")[2]
        return found

    async def unscheduled(self, date: str) -> list[str]:
        """The ids of the orders that the plan of a date leaves out."""
        plan = _read(_object, await self._api("GET", f"/api/plans/{date}"))
        return [item["orderId"] for item in plan.get("unscheduled", [])]

    async def drivers(self) -> AsyncIterator[dict[str, Any]]:
        """All drivers of the account."""
        async for driver in self._items("/api/drivers"):
            yield driver

    async def pairing_code(self, driver_id: str) -> str:
        """A code for one phone."""
        return str(_read(_object, await self._api("POST", f"/api/drivers/{driver_id}/pairing"))["code"])

    async def track(self, driver_id: str, begin: str, end: str) -> list[StoredPosition]:
        """What is stored of a driver from begin (inclusive) to end (exclusive), ISO 8601, in the order given."""
        found: list[StoredPosition] = []
        params = {"from": begin, "to": end, "format": "json"}
        while True:
            page = _read(_track, await self._api("GET", f"/api/drivers/{driver_id}/track", params=params))
            found += page.items
            if not page.cursor:
                return found
            params["cursor"] = _after(page.cursor, params.get("cursor", ""), "track")

    async def events(self) -> list[dict[str, Any]]:
        """Every event of the account in the order of arrival."""
        found: list[dict[str, Any]] = []
        tag = ""
        while True:
            page = await self.v1("GET", "get_events", after_tag=tag)
            found += page["events"]
            if not page["events"] and page.get("remainingEvents", 0):
                raise SetupFailed(
                    f"get_events gives none of {page['remainingEvents']} remaining events after tag {tag!r}"
                )
            if not page.get("remainingEvents"):
                return found
            tag = _after(page["tag"], tag, "get_events")

    async def completions(self, order_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The completion details of orders by their id; an order the server does not know is absent."""
        ids = list(order_ids)
        found: dict[str, dict[str, Any]] = {}
        for begin in range(0, len(ids), BULK):
            asked = [{"id": order_id} for order_id in ids[begin : begin + BULK]]
            answer = await self.v1("POST", "get_completion_details", {"orders": asked}, may_fail=True)
            found |= {item["id"]: item["data"] for item in answer.get("orders", []) if item.get("success")}
        return found

    async def download(self, url: str) -> tuple[int, str, bytes]:
        """Status, media type and bytes of a file behind a signed address; no key goes with it."""
        url = urljoin(str(self._client.base_url), url)
        if urlsplit(url).netloc != urlsplit(str(self._client.base_url)).netloc:
            async with http_client(url) as other:
                return await Account(other, "").download(url)
        answer = await self._request("GET", url)
        return answer.status_code, answer.headers.get("content-type", ""), answer.content

    async def v1(
        self, verb: str, method: str, body: Any = None, may_fail: bool = False, **query: str
    ) -> dict[str, Any]:
        """One call of the OptimoRoute-compatible API; waits where the account's few connections are taken."""
        for _ in range(60):
            answer = await self._request(verb, f"/v1/{method}", params={"key": self._key, **query}, json=body)
            told = _read(_object, answer)
            if told.get("success") or (may_fail and told.get("code") is None):
                return told
            if told.get("code") != "ERR_TOO_MANY_CONNECTIONS":
                raise SetupFailed(f"{method}: {told.get('code')}: {told.get('message')}")
            await asyncio.sleep(0.25)
        raise SetupFailed(f"{method}: no connection became free")

    async def _bulk(self, orders: list[dict[str, Any]]) -> None:
        told = await self.v1("POST", "create_or_update_orders", {"orders": orders})
        failed = [item for item in told["orders"] if not item["success"]]
        if failed:
            raise SetupFailed(f"{len(failed)} orders were not created, the first: {failed[0]}")

    async def plan(self, date: str, **how: str) -> None:
        """Plan a date, and wait for it."""
        started = await self.v1("POST", "start_planning", {"date": date, **how})
        try:
            async with asyncio.timeout(PLANNED_WITHIN_S):
                await self._planned(started["planningId"])
        except (asyncio.CancelledError, TimeoutError):
            # Else its plan would come later, when nobody expects one any more
            with suppress(SetupFailed, httpx.HTTPError, OSError):
                await self.v1("POST", "stop_planning", {"planningId": started["planningId"]})
            raise

    async def _planned(self, planning_id: int) -> None:
        while True:
            status = (await self.v1("GET", "get_planning_status", planningId=str(planning_id)))["status"]
            if status in "EC":
                raise SetupFailed(f"planning ended with status {status}")
            if status == "F":
                return
            await asyncio.sleep(0.3)

    async def _items(self, path: str, limit: int = BULK, **query: str) -> AsyncIterator[dict[str, Any]]:
        params: dict[str, str] = {"limit": str(limit), **query}
        while True:
            page = _read(_page, await self._api("GET", path, params=params))
            for item in page.items:
                yield item
            if not page.cursor:
                return
            params["cursor"] = _after(page.cursor, params.get("cursor", ""), path)

    async def _api(self, verb: str, path: str, **request: Any) -> Answer | httpx.Response:
        answer = await self._request(verb, path, headers=self._bearer, **request)
        if not answer.is_success:
            raise SetupFailed(f"{verb} {path}: HTTP {answer.status_code} {answer.content[:300]!r}")
        return answer

    async def _request(
        self,
        verb: str,
        path: str,
        params: dict[str, str] | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer | httpx.Response:
        """One request; a server that restarts or is busy is asked again for a while."""
        problem, address = "", f"{path}?{urlencode(params)}" if params else path
        kind = {"Content-Type": "application/json"} if json is not None else {}
        headers, content = {**(headers or {}), **kind}, encode(json) if json is not None else b""
        begun = monotonic()
        for attempt in range(8):
            if monotonic() - begun > PATIENCE_S:
                break
            try:
                answer = await self._client.request(verb, address, headers=headers, content=content)
                if answer.status_code not in (429, 502, 503, 504):
                    return answer
                problem = f"HTTP {answer.status_code} {answer.content[:200]!r}"
            except (httpx.TransportError, OSError) as error:
                problem = f"{type(error).__name__} {error}"
            await asyncio.sleep(min(3.0, 0.25 * 2**attempt))
        raise SetupFailed(f"{verb} {path}: {problem}")


def _after(told: str, before: str, what: str) -> str:
    """Where the next page begins; raises SetupFailed where that is the same one again, and so for ever."""
    if told == before:
        raise SetupFailed(f"{what} gives the page at {told!r} again and again")
    return told


def _read(decode: Callable[[bytes], T], answer: Answer | httpx.Response) -> T:
    try:
        return decode(answer.content)
    except msgspec.DecodeError as error:
        told = f"HTTP {answer.status_code} {answer.content[:200]!r}"
        raise SetupFailed(f"an answer that cannot be read ({error}): {told}") from error
