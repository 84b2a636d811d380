"""The planned routes of a day."""

from math import ceil
from zoneinfo import ZoneInfo

from backend.api.optimoroute import answers, wire
from backend.api.optimoroute.call import Answer, Call, method
from backend.domain.accounts import Role
from backend.domain.drivers import Place
from backend.domain.orders import Location
from backend.domain.routes import Stop
from backend.service import days
from backend.service.days import DayRoute, DayStop


@method(
    "get_routes",
    "GET",
    roles=(Role.TENANT, Role.SUBCONTRACTOR),
    query={
        "date": "The day, YYYY-MM-DD. (required)",
        "driverExternalId": "Of this driver alone.",
        "driverSerial": "Of this driver alone.",
        "vehicleRegistration": "Of this vehicle alone.",
        "includeRoutePolyline": "true adds routePolyline.",
        "includeRouteStartEnd": "true adds startLocation and endLocation, and both as stops of the type depot.",
    },
    always=("routes",),
)
async def get_routes(call: Call) -> Answer:
    """The planned routes of a `date`, with the drivers' stops in order; times are in the account's time zone."""
    date = wire.date(call.parameter("date"))
    with_line, with_ends = call.flag("includeRoutePolyline"), call.flag("includeRouteStartEnd")
    found = await days.day_routes(call.desk, call.office.account, date)
    zone = ZoneInfo(call.office.account.settings.time_zone)
    wanted = (each for each in found if each.planned and each.stops and _wanted(call, each))
    routes = [_route(each, zone, with_line, with_ends) for each in wanted]
    return {"success": True, "routes": routes}


def _wanted(call: Call, route: DayRoute) -> bool:
    driver, subcontractor = route.driver, call.office.subcontractor
    if subcontractor is not None and driver.subcontractor != subcontractor:
        return False
    wanted = (
        (call.optional("driverExternalId"), driver.external_id),
        (call.optional("driverSerial"), driver.serial),
        (call.optional("vehicleRegistration"), route.vehicle.registration if route.vehicle else ""),
    )
    return all(text is None or text == actual for text, actual in wanted)


def _route(route: DayRoute, zone: ZoneInfo, with_line: bool, with_ends: bool) -> Answer:
    answer = answers.who(route.driver, route.vehicle) | {
        "duration": round(route.route.duration_s / 60),
        "distance": answers.number(round(route.route.distance_m / 1000, 3)),
        # Whole numbers here, while an order's load may have a fraction; what is begun takes up room.
        **{f"load{index}": ceil(round(load, 6)) for index, load in enumerate(route.route.loads, 1)},
        "stops": [_stop(stop, zone) for stop in (_with_ends(route) if with_ends else route.stops)],
    }
    if with_line:
        answer["routePolyline"] = route.route.polyline
    if with_ends:
        for name, place in (("startLocation", route.start), ("endLocation", route.end)):
            if place is not None:
                answer[name] = {"address": place.address, "latitude": place.latitude, "longitude": place.longitude}
    return answer


def _with_ends(route: DayRoute) -> list[DayStop]:
    """The stops between where the route starts, as number 0, and where it ends: there clients look for them."""
    planned, last = route.route, route.stops[-1].stop
    way_m = planned.distance_m - sum(each.stop.distance_m for each in route.stops)
    stops = list(route.stops)
    if route.start is not None:
        stops.insert(0, _end(route.start, 0, planned.start_s, 0, 0))
    if route.end is not None:
        stops.append(_end(route.end, last.number + 1, planned.end_s, planned.end_s - last.departure_s, way_m))
    return stops


def _end(place: Place, number: int, at_s: int, travel_s: int, distance_m: int) -> DayStop:
    stop = Stop(
        number,
        None,
        place.latitude,
        place.longitude,
        arrival_s=at_s,
        start_s=at_s,
        departure_s=at_s,
        travel_s=max(0, travel_s),
        distance_m=max(0, distance_m),
        type="depot",
    )
    where = Location("", name=place.address, address=place.address, latitude=place.latitude, longitude=place.longitude)
    return DayStop(stop=stop, location=where)


def _stop(stop: DayStop, zone: ZoneInfo) -> Answer:
    answer: Answer = {"stopNumber": stop.stop.number}
    if stop.order is not None and stop.location is not None:
        answer |= {
            "orderNo": stop.order.order_no or wire.NO_NUMBER,
            "id": stop.order.id,
            "locationNo": stop.location.location_no,
            "locationName": stop.location.name,
            "address": stop.location.address,
            "latitude": stop.location.latitude,
            "longitude": stop.location.longitude,
        }
    else:
        answer |= {
            "orderNo": wire.NO_NUMBER,
            "id": "",
            "locationNo": "",
            "locationName": stop.location.name if stop.location else "",
            "address": stop.location.address if stop.location else "",
            "latitude": stop.stop.latitude,
            "longitude": stop.stop.longitude,
            "type": stop.stop.type,
        }
    return answer | answers.times(stop.stop, zone)
