"""The shapes of the OptimoRoute document, as they go out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend.api.optimoroute import wire
from backend.domain.accounts import ProofPolicy
from backend.domain.drivers import Driver, Vehicle
from backend.domain.geocoding import Match
from backend.domain.orders import Location, TimeWindow
from backend.domain.proof import collected
from backend.domain.routes import Stop
from backend.service.days import Scheduled
from backend.service.orders import Found


def order(found: Found, policy: ProofPolicy) -> dict[str, Any]:
    """The Order object, with its barcodes where the account collects any proof of delivery."""
    this = found.record.order
    return {
        "orderNo": this.order_no or wire.NO_NUMBER,
        "id": this.id,
        "relatedOrderNo": found.related and found.related.order_no,
        "relatedId": found.related and found.related.id,
        "date": this.date,
        "duration": number(this.duration_min),
        "priority": this.priority,
        "type": this.type,
        **{f"load{index}": number(load) for index, load in enumerate(this.loads, 1)},
        "assignedTo": found.driver
        and {"externalId": found.driver.external_id or "", "serial": found.driver.serial or ""},
        "location": location(found.location),
        "timeWindows": [_window(each) for each in this.time_windows],
        "allowedWeekdays": list(this.allowed_weekdays),
        "allowedDates": _range(this.allowed_from, this.allowed_to),
        "allowedDateTimes": [_range(each.opens, each.closes) for each in this.allowed_date_times],
        "skills": list(this.skills),
        "vehicleFeatures": list(this.vehicle_features),
        "notes": this.notes,
        "email": this.email,
        "phone": this.phone,
        **{f"customField{index}": text for index, text in enumerate(this.custom, 1)},
        "customFields": this.custom_fields,
        "notificationPreference": this.notification_preference,
        **({"barcode": [{"barcode": each} for each in this.barcodes]} if collected(policy) else {}),
        **({"customer": this.customer} if this.customer else {}),
    }


def location(place: Location) -> dict[str, Any]:
    """The Location object."""
    return {
        "locationNo": place.location_no,
        "address": place.address,
        "locationName": place.name,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "valid": place.valid,
        "checkInTime": place.check_in_min,
        "notes": place.notes,
    }


def geocoding_results(matches: Sequence[Match]) -> dict[str, Any]:
    """What was found for an address, where anything was: address, latitude, longitude, whether it is partial."""
    found = [[match.address, match.latitude, match.longitude, match.partial] for match in matches]
    return {"geocodingResults": found} if found else {}


def schedule(where: Scheduled, zone: ZoneInfo, expected_s: int | None = None) -> dict[str, Any]:
    """The Order Scheduling Information object; ``expected_s`` is when the service is now expected to begin."""
    told = who(where.driver, where.vehicle) | {"stopNumber": where.stop.number} | times(where.stop, zone)
    return told if expected_s is None else told | {"liveEstimate": _begins(expected_s, zone)}


def who(driver: Driver, vehicle: Vehicle | None) -> dict[str, Any]:
    """Driver and vehicle, as routes and schedules name them."""
    return {
        "driverExternalId": driver.external_id or "",
        "driverSerial": driver.serial,
        "driverName": driver.name,
        "vehicleRegistration": vehicle.registration if vehicle else "",
        "vehicleLabel": vehicle.label if vehicle else "",
    }


def times(stop: Stop, zone: ZoneInfo) -> dict[str, Any]:
    """When a stop is planned, in this time zone, and the way to it."""
    return _begins(stop.start_s, zone) | {
        "arrivalTimeDt": f"{datetime.fromtimestamp(stop.arrival_s, zone):%Y-%m-%d %H:%M:%S}",
        "travelTime": stop.travel_s,
        "distance": stop.distance_m,
    }


def number(value: float) -> float | int:
    """Without a fraction where there is none, as the document writes them."""
    return int(value) if value == int(value) else value


def _begins(at_s: int, zone: ZoneInfo) -> dict[str, Any]:
    start = datetime.fromtimestamp(at_s, zone)
    return {"scheduledAt": f"{start:%H:%M}", "scheduledAtDt": f"{start:%Y-%m-%d %H:%M:%S}"}


def _window(window: TimeWindow) -> dict[str, str]:
    return {"twFrom": window.opens or "00:00", "twTo": window.closes or "23:59"}


def _range(first: str | None, last: str | None) -> dict[str, str]:
    return {name: text for name, text in (("from", first), ("to", last)) if text is not None}
