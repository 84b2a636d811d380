"""What drivers' phones send: their positions and actions; and what they ask for: their route.

A function returns only after everything that it acknowledges is on the disk. Anything may be sent again.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

import msgspec

from backend.domain.accounts import Device
from backend.domain.drivers import Driver
from backend.domain.errors import Refusal
from backend.domain.events import Action
from backend.domain.positions import EARLIEST_S, Position, Rejected, sift
from backend.domain.times import local_date
from backend.live.phones import HungUp, Line, MessageSent, RouteChanged
from backend.service import inflow
from backend.service.days import DayRoute, day_routes
from backend.service.desk import Desk
from backend.service.identity import digest
from backend.service.settle import Outcome, settle
from backend.store import fleet, standing

__all__ = [
    "HungUp",
    "MessageSent",
    "Recorded",
    "RouteChanged",
    "act",
    "admit",
    "driver",
    "driver_day",
    "listen",
    "record",
    "route_version",
]

DAY_S = 86_400


class Recorded(msgspec.Struct, frozen=True):
    """The outcome of a batch of positions, as it goes out on the wire."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


def admit(desk: Desk) -> None:
    """Refuse with ``ERR_OVERLOADED``, before a body is read, a request that would only join a long queue.

    Requests whose bodies are being read already may still come in: the queue itself refuses at twice this length.
    """
    if desk.journal.crowded:
        raise Refusal(inflow.CODE, inflow.TEXT)


async def record(desk: Desk, device: Device, fixes: list[Position], misfits: Sequence[Rejected] = ()) -> Recorded:
    """Store a driver's positions, in any order and of any age; a bad one is rejected alone.

    ``misfits`` are the positions of the same batch that could not be decoded, by their index in it; ``fixes`` are the
    others.
    """
    now_s = desk.clock.now_s()
    kept_days = device.account.settings.driver_position_retention_days
    oldest_s = desk.clock.earliest_s() - kept_days * DAY_S if kept_days else EARLIEST_S
    sifted = sift(fixes, desk.clock.latest_s(), oldest_s)
    rejected = _in_batch(sifted.rejected, misfits, len(fixes))
    desk.tally.rejected += len(rejected)
    if not sifted.accepted:
        return Recorded(0, 0, rejected)
    storing = desk.journal.append(device.driver_id, sifted.accepted, sifted.packed)
    del fixes, sifted  # while it waits for the disk, nothing but what is to be stored takes memory
    began = time.perf_counter()
    appended = await storing
    desk.tally.stored.note(time.perf_counter() - began)
    desk.tally.positions += appended.accepted
    desk.tally.duplicates += appended.duplicates
    if appended.newest is not None:
        desk.tally.age.note(max(0.0, now_s - appended.newest.timestamp))
        desk.hub.tell_positions(device.account.id, device.driver_id, appended.newest)
    return Recorded(appended.accepted, appended.duplicates, rejected)


def _in_batch(sifted: Sequence[Rejected], misfits: Sequence[Rejected], count: int) -> list[Rejected]:
    """Both kinds of rejected positions, by their index in the batch as it was sent."""
    if not misfits:
        return list(sifted)
    unread = {misfit.index for misfit in misfits}
    places = [index for index in range(count + len(misfits)) if index not in unread]
    refused = [msgspec.structs.replace(each, index=places[each.index]) for each in sifted]
    return sorted([*refused, *misfits], key=lambda each: each.index)


async def act(desk: Desk, device: Device, actions: Sequence[Action | Outcome]) -> list[Outcome]:
    """Store the actions that a driver's phone reports: one outcome per action, in order; a bad one is refused alone.

    An ``Outcome`` among the actions stands for one that could not be decoded, and is returned as it is.
    """
    readable = [each for each in actions if isinstance(each, Action)]
    now_ms, latest_ms = desk.clock.now_ms(), int(desk.clock.latest_s() * 1000)
    work = partial(settle, device=device, actions=readable, now_ms=now_ms, latest_ms=latest_ms)
    stored = await desk.journal.transact(work) if readable else ()
    settled = iter(stored)
    outcomes = [next(settled) if isinstance(each, Action) else each for each in actions]
    new = sum(1 for outcome in outcomes if outcome.success and not outcome.duplicate)
    desk.tally.actions += new
    if new:
        desk.hub.tell_facts(device.account.id, device.driver_id)
    return outcomes


async def driver(desk: Desk, device: Device) -> Driver:
    """The driver that this phone is paired with."""
    found = await desk.database.read(lambda conn: fleet.driver(conn, device.account.id, device.driver_id))
    if found is None:
        raise Refusal("ERR_UNAUTHENTICATED", "This device token is unknown or has been revoked; pair the phone again.")
    return found


async def driver_day(desk: Desk, device: Device, date: str | None) -> tuple[str, DayRoute | None]:
    """The date, and the driver's sent route on it; by default today in the account's time zone."""
    date = date or local_date(desk.clock.now_ms(), device.account.settings.time_zone)
    found = await day_routes(desk, device.account, date, device.driver_id, active=True)
    return date, found[0] if found else None


def listen(desk: Desk, device: Device, secret: str) -> AbstractContextManager[Line]:
    """A line on which this phone hears from the office while its socket is open; an older socket of it is closed."""
    return desk.hub.phone(device.account.id, device.driver_id, digest(secret))


async def route_version(desk: Desk, device: Device, date: str) -> int:
    """How often the driver's route of this date has changed; 0 where there is none."""
    return await desk.database.read(
        lambda conn: standing.route_version(conn, device.account.id, device.driver_id, date)
    )
