"""Positions of drivers whose phones report to another system."""

import asyncio
from collections import Counter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from backend.api.optimoroute import wire
from backend.api.optimoroute.call import Answer, Call, convert, failure, method
from backend.domain.accounts import Device, Role
from backend.domain.drafts import DriverName
from backend.domain.errors import Refusal
from backend.domain.positions import EARLIEST_S, Position, sift
from backend.service import field, fleet

POSITIONS = 100  # of one driver in one call
DRIVERS = 10_000  # in one call: the document has no limit, but there has to be one
_NOT_FOUND = Refusal("ERR_DRIVER_NOT_FOUND", "Could not find a driver with the matching id.")
_MULTIPLE = Refusal("ERR_MULTIPLE_DRV", "Found multiple drivers with matching external id or serial number.")
_TWICE = Refusal("ERR_MULTIPLE_DRV_POS", "Multiple driver positions objects for a single driver.")


class Update(msgspec.Struct, frozen=True):
    driver: wire.Driver
    positions: Annotated[list[Position], Meta(min_length=1, max_length=POSITIONS)]


class Updates(msgspec.Struct, frozen=True):
    updates: Annotated[list[Update], Meta(min_length=1, max_length=DRIVERS)]


class Whose(msgspec.Struct, frozen=True):
    driver: wire.Driver


class What(msgspec.Struct, frozen=True):
    positions: list[Any]


@method("update_drivers_positions", "POST", roles=(Role.TENANT, Role.SUBCONTRACTOR), takes=Updates)
async def update_drivers_positions(call: Call) -> Answer:
    """Up to 100 positions for each of several drivers. Body: `{"updates": [{"driver": {…}, "positions": [{…}]}]}`.

    A driver's positions are stored all or, where one of them does not fit, none.
    """
    items = call.items("updates", DRIVERS)
    names = [_name(item) for item in items]
    ids = await fleet.named(call.desk, call.office, {name for name in names if isinstance(name, DriverName)})
    times = Counter(ids[name][0] for name in names if isinstance(name, DriverName) and len(ids[name]) == 1)
    refusals = await asyncio.gather(
        *(_store(call, item, name, ids, times) for item, name in zip(items, names, strict=True))
    )
    parts = [
        ({"success": True} if refusal is None else failure(refusal)) | _echo(item)
        for item, refusal in zip(items, refusals, strict=True)
    ]
    return {"success": any(part["success"] for part in parts), "updates": parts}


async def _store(
    call: Call, item: object, name: DriverName | Refusal, ids: dict[DriverName, list[str]], times: Counter[str]
) -> Refusal | None:
    """One driver's update, as if the phone had sent it; what is in its way."""
    if isinstance(name, Refusal):
        return name
    if len(ids[name]) != 1:
        return _MULTIPLE if ids[name] else _NOT_FOUND
    driver_id = ids[name][0]
    if times[driver_id] > 1:
        return _TWICE
    try:
        fixes = _fixes(call, item)
        await field.record(call.desk, Device("", call.office.account, driver_id), fixes)
    except Refusal as refusal:
        return refusal
    return None


def _name(item: object) -> DriverName | Refusal:
    try:
        wire.no_nul(item)
        return convert(item, Whose).driver.name()
    except Refusal as refusal:
        return refusal


def _fixes(call: Call, item: object) -> list[Position]:
    given = convert(item, What).positions
    if not 1 <= len(given) <= POSITIONS:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", f"positions is a list of 1 to {POSITIONS} objects.")
    fixes = [convert(each, Position) for each in given]
    kept_s = call.office.account.settings.driver_position_retention_days * 86_400
    clock = call.desk.clock
    refused = sift(fixes, clock.latest_s(), clock.earliest_s() - kept_s if kept_s else EARLIEST_S).rejected
    if refused:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", f"Position {refused[0].index}: {refused[0].message}.")
    return fixes


def _echo(item: object) -> Answer:
    given = item.get("driver") if isinstance(item, dict) else None
    return {"driver": told} if (told := wire.echo(given, "externalId", "serial")) else {}
