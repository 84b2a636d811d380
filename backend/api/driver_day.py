"""A driver's route with what the driver needs at each stop."""

import msgspec

from backend.api.routewire import RouteOut, StopOut, route_out, stop_out
from backend.domain.accounts import Account, ProofPolicy
from backend.service.days import DayRoute, DayStop


class ContactOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom to call at the stop."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None


class DriverStopOut(StopOut, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A stop as the phone has it; a break or a depot has nothing of all this."""

    contact: ContactOut | None = None
    notes: str | None = None
    location_notes: str | None = None
    barcodes: tuple[str, ...] | None = None
    priority: str | None = None
    order_type: str | None = None
    required_proof: ProofPolicy | None = None


class DriverDayOut(msgspec.Struct, frozen=True):
    """``version`` grows with each change of the route, and is 0 where there is none."""

    date: str
    version: int
    route: RouteOut[DriverStopOut] | None


def driver_day_out(date: str, day: DayRoute | None, account: Account) -> DriverDayOut:
    if day is None:
        return DriverDayOut(date, 0, None)
    return DriverDayOut(date, day.version, route_out(day, [_stop(stop, account) for stop in day.stops]))


def _stop(stop: DayStop, account: Account) -> DriverStopOut:
    order, known = stop.order, msgspec.structs.asdict(stop_out(stop))
    if order is None:
        return DriverStopOut(**known)
    return DriverStopOut(
        **known,
        contact=ContactOut(phone=order.phone or None, email=order.email or None),
        notes=order.notes,
        location_notes=stop.location.notes if stop.location else "",
        barcodes=order.barcodes,
        priority=order.priority,
        order_type=order.type,
        required_proof=account.settings.proof_of_delivery,
    )
