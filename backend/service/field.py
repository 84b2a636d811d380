"""From the drivers' phones: where they are, what they did, and what proves it.

Every answer comes after what it acknowledges is on the disk. Sending again is free.
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
    """What became of a batch of positions. The wire's own form."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


def admit(desk: Desk) -> None:
    """Refuse with ``ERR_OVERLOADED``, before a body is read, what would only join a long queue.

    What is being read already may still come in: the queue itself refuses at twice this length.
    """
    if desk.journal.crowded:
        raise Refusal(inflow.CODE, inflow.TEXT)


async def record(desk: Desk, device: Device, fixes: list[Position], misfits: Sequence[Rejected] = ()) -> Recorded:
    """Store a driver's positions, in any order and of any age; a bad one is rejected alone.

    ``misfits`` are those of the same batch that could not even be read, by their index in it; ``fixes`` are the rest.
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
    """Both kinds by their index in the batch as it came."""
    if not misfits:
        return list(sifted)
    unread = {misfit.index for misfit in misfits}
    places = [index for index in range(count + len(misfits)) if index not in unread]
    refused = [msgspec.structs.replace(each, index=places[each.index]) for each in sifted]
    return sorted([*refused, *misfits], key=lambda each: each.index)


async def act(desk: Desk, device: Device, actions: Sequence[Action | Outcome]) -> list[Outcome]:
    """Settle what a driver's phone says happened: one outcome per action, in order; a bad one is refused alone.

    An ``Outcome`` among the actions stands for one that could not be read, and stays.
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
    """Whose phone this is."""
    found = await desk.database.read(lambda conn: fleet.driver(conn, device.account.id, device.driver_id))
    if found is None:
        raise Refusal("ERR_UNAUTHENTICATED", "This device token is not known, or was taken back; pair the phone again.")
    return found


async def driver_day(desk: Desk, device: Device, date: str | None) -> tuple[str, DayRoute | None]:
    """The driver's route of a date as it was sent; of today in the account's time zone where none is given."""
    date = date or local_date(desk.clock.now_ms(), device.account.settings.time_zone)
    found = await day_routes(desk, device.account, date, device.driver_id, active=True)
    return date, found[0] if found else None


def listen(desk: Desk, device: Device, secret: str) -> AbstractContextManager[Line]:
    """What the office has for this phone while its socket is open; an older socket of the same device is hung up."""
    return desk.hub.phone(device.account.id, device.driver_id, digest(secret))


async def route_version(desk: Desk, device: Device, date: str) -> int:
    """How often the driver's route of this date has changed; 0 where there is none."""
    return await desk.database.read(
        lambda conn: standing.route_version(conn, device.account.id, device.driver_id, date)
    )
