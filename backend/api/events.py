"""An event as `get_events` and the live map tell it: names, the moment in three forms, and where it was."""

import msgspec

from backend.api.moments import MomentOut, PositionOut, moment_out, position_out
from backend.domain.events import Failed, StartService, StartTimeChanged, Success, kind
from backend.service.history import Event

AT_THE_PLACE = (StartService, Success, Failed)  # an order may be rejected from anywhere


class EventOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``sequence`` is the order of arrival; ``status`` the order's after the event."""

    event: str
    unix_timestamp: int
    utc_time: str
    local_time: str
    driver_name: str | None = None
    driver_serial: str | None = None
    driver_external_id: str | None = None
    order_no: str | None = None
    order_id: str | None = None
    planned_start_time: MomentOut | None = None
    position: PositionOut | None = None
    sequence: int
    route_id: str | None = None
    status: str | None = None
    out_of_order: bool = False


def event_out(event: Event) -> EventOut:
    moment = moment_out(event.fact.at_ms, event.zone)
    driver = event.driver
    changed = event.fact.planned_start_ms if isinstance(event.fact, StartTimeChanged) else None
    return EventOut(
        event=kind(event.fact),
        unix_timestamp=moment.unix_timestamp,
        utc_time=moment.utc_time,
        local_time=moment.local_time,
        driver_name=(driver.name or None) if driver else None,
        driver_serial=(driver.serial or None) if driver else None,
        driver_external_id=(driver.external_id or None) if driver else None,
        order_no=event.order_no or None,
        order_id=event.order_id,
        planned_start_time=None if changed is None else moment_out(changed, event.zone),
        position=_position(event),
        sequence=event.sequence,
        route_id=event.route_id,
        status=event.status,
        out_of_order=event.out_of_order,
    )


def _position(event: Event) -> PositionOut | None:
    """Where it was; only events say so at which the driver was to be at an order's place."""
    position = event.fact.position
    return position_out(position, event.place) if position and isinstance(event.fact, AT_THE_PLACE) else None
