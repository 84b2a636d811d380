"""get_events: what drivers' phones report, in the order in which it arrives."""

from typing import Any

from tests.optimoroute.scenes import (
    AT,
    DAY,
    HERE,
    action,
    acts,
    fleet,
    moment,
    order,
    orders,
    sent,
    settings,
    unix,
)
from tests.optimoroute.table import ABSENT, MORE, Case, Name, Play, Stage, Step, get, office, plan, post, refused, send

EVENT = "get_events/response/Event/"
ANA = {"driverName": "Driver 1", "driverSerial": "S1", "driverExternalId": "D1"}
ABOUT = (*ANA, "orderNo", "orderId", "plannedStartTime", "position")
PLACES = {  # each with a zone of its own
    "Zagreb": (45.81, 15.98),
    "Boston": (42.36, -71.06),
    "Lord Howe": (-31.55, 159.08),  # half an hour of summer time
}


def told(word: str, utc: str, local: str, **fields: Any) -> dict[Any, Any]:
    """An event with exactly these of the document's fields."""
    when = {"unixTimestamp": unix(utc), "utcTime": utc, "localTime": local}
    return {"event": word} | when | dict.fromkeys(ABOUT, ABSENT) | fields | MORE


def events(*given: Any, tag: str = "tag", after: Any = "", **options: Any) -> Step:
    answer = {"success": True, "events": list(given), "tag": Name(tag), "remainingEvents": 0}
    return Step("GET", "/v1/get_events", query={"after_tag": after}, answer=answer, **options)


def about(number: str) -> dict[str, Any]:
    return ANA | {"orderNo": number, "orderId": Name(number)}


def tags_differ(stage: Stage) -> None:
    assert stage.names["first"] != stage.names["second"]


def another_companys_tag_is_refused(stage: Stage) -> None:
    tag = stage.server.account().v1("get_events")["tag"]
    assert stage.company.v1("get_events", after_tag=tag)["code"] == "ERR_INVALID_PARAM_FORMAT"


def nameless(stage: Stage) -> None:
    """The driver has nothing but a name from now on."""
    path = f"/api/drivers/{stage.phone('D1').driver_id}"
    stage.company.client.patch(path, json={"externalId": None, "serial": ""}).raise_for_status()


def driver_for(place: str) -> tuple[Play, ...]:
    """A driver without a home, with one order at the place. The driver's externalId and the orderNo are its name."""
    latitude, longitude = PLACES[place]
    there = {"locationName": place, "latitude": latitude, "longitude": longitude}
    return (
        office("POST", "/api/drivers", {"name": place, "externalId": place}),
        orders(order(place + " 1", location=there, assignedTo={"externalId": place})),
    )


def at_the_place(place: str, *times: tuple[str, str]) -> tuple[Play, ...]:
    """The driver reports at these moments, UTC; each with the local time there."""
    number = place + " 1"
    reported = [action("start_service", unix(utc), orderId=Name(number)) for utc, _ in times]
    expected = [
        {"utcTime": utc, "localTime": local, "unixTimestamp": unix(utc), "orderNo": number} | MORE
        for utc, local in times
    ]
    return (
        lambda stage: stage.names.pop("before", None),
        Step("GET", "/v1/get_events", answer={"tag": Name("before"), **MORE}),
        lambda stage: stage.names.pop("after", None),
        acts(*reported, driver=place),
        events(*expected, after=Name("before"), tag="after"),
    )


CASES = [
    Case(
        "An event has who, what and when; an order where there is one, and a place where the driver was to be at it.",
        [
            *(EVENT + name for name in ("event", "unixTimestamp", "utcTime", "localTime", *ABOUT)),
            *(f"objects/Time/{name}" for name in ("unixTimestamp", "utcTime", "localTime")),
            *(
                f"objects/Position/{name}"
                for name in ("timestamp", "latitude", "longitude", "accuracy", "speed", "heading")
            ),
            "get_events/response/success",
            "get_events/response/events",
        ],
        *sent("O1", "O2", "O3"),
        settings(timeZone="Asia/Tokyo"),
        acts(
            action("on_duty", AT, position=HERE),
            action("start_time_changed", AT + 1, plannedStartTime=AT + 600),
            action("start_route", AT + 2, position=HERE),
            action("start_service", AT + 3, orderId=Name("O1"), position=HERE | {"altitude": 120, "battery": 0.5}),
            action(
                "success",
                AT + 4.75,
                orderNo="O1",
                position={"timestamp": AT + 4.5, "latitude": 45.805, "longitude": 16},
            ),
            action("failed", AT + 5, orderId=Name("O2")),
            action("rejected", AT + 6, orderId=Name("O3"), position=HERE),
            action("end_route", AT + 7),
            action("off_duty", AT + 8),
        ),
        events(
            # The account's time where there is no order, else that of the order's place.
            told("on_duty", f"{DAY}T09:00:00", f"{DAY}T18:00:00", **ANA),
            told("start_time_changed", f"{DAY}T09:00:01", f"{DAY}T18:00:01", **ANA)
            | {"plannedStartTime": moment(AT + 600, f"{DAY}T09:10:00", f"{DAY}T18:10:00")},
            told("start_route", f"{DAY}T09:00:02", f"{DAY}T18:00:02", **ANA),
            told("start_service", f"{DAY}T09:00:03", f"{DAY}T10:00:03", **about("O1"))
            | {"position": HERE | {"distanceToLocation": 556.0}},  # 0.005° on a great circle
            told("success", f"{DAY}T09:00:04", f"{DAY}T10:00:04", **about("O1"))
            | {"position": {"timestamp": AT + 4, "latitude": 45.805, "longitude": 16.0, "distanceToLocation": 0.0}},
            told("failed", f"{DAY}T09:00:05", f"{DAY}T10:00:05", **about("O2")),
            told("rejected", f"{DAY}T09:00:06", f"{DAY}T10:00:06", **about("O3")),
            told("end_route", f"{DAY}T09:00:07", f"{DAY}T18:00:07", **ANA),
            told("off_duty", f"{DAY}T09:00:08", f"{DAY}T18:00:08", **ANA),
        ),
    ),
    Case(
        "A driver without serial and externalId, and an order without a number, leave the fields out.",
        [EVENT + "driverSerial", EVENT + "driverExternalId", EVENT + "orderNo"],
        fleet(),
        settings(planningSeconds=0.2),
        post(
            "create_or_update_orders",
            {"orders": [order("O1", orderNo=...)]},
            {"success": True, "orders": [{"success": True, "id": Name("O1"), **MORE}]},
        ),
        plan(DAY),
        send(DAY),
        acts(action("on_duty", AT), action("success", AT, orderId=Name("O1"))),
        nameless,
        events(
            told("on_duty", f"{DAY}T09:00:00", f"{DAY}T09:00:00", driverName="Driver 1"),
            told("success", f"{DAY}T09:00:00", f"{DAY}T10:00:00", driverName="Driver 1", orderId=Name("O1")),
        ),
    ),
    Case(
        "A tag reads on from where its answer ended, and stays the same while nothing happens.",
        [
            "get_events/request/after_tag",
            "get_events/response/tag",
            "get_events/response/remainingEvents",
        ],
        fleet(),
        events(tag="nothing yet"),
        events(tag="nothing yet", after=Name("nothing yet")),
        get("get_events", {"success": True, "events": [], "tag": Name("nothing yet"), "remainingEvents": 0}),
        acts(action("on_duty", AT)),
        events({"event": "on_duty", **MORE}, tag="first", after=Name("nothing yet")),
        events(tag="first", after=Name("first")),
        acts(action("off_duty", AT - 3600)),  # earlier, and it arrives later
        events({"event": "off_duty", **MORE}, tag="second", after=Name("first")),
        events({"event": "off_duty", **MORE}, tag="second", after=Name("first")),
        events({"event": "on_duty", **MORE}, {"event": "off_duty", **MORE}, tag="second"),
        tags_differ,
        *(
            get("get_events", refused("ERR_INVALID_PARAM_FORMAT"), after_tag=tag)
            for tag in ("x", "AAAA", "!!!", "☎", "AAAAAAAAAAAAAAAA", "\0")
        ),
        another_companys_tag_is_refused,
    ),
    Case(
        "What a phone sends twice happened once, and what the office says is no event of a phone.",
        ["get_events/response/events"],
        *sent("O1"),
        acts(*(twice := (action("on_duty", AT), action("start_service", AT + 1, orderNo="O1")))),
        acts(*reversed(twice)),
        Step(
            "POST",
            "/v1/update_completion_details",
            {"updates": [{"orderNo": "O1", "data": {"status": "cancelled"}}]},
        ),
        events({"event": "on_duty", **MORE}, {"event": "start_service", **MORE}),
        post("delete_order", {"orderNo": "O1"}),  # its events stay
        events(
            {"event": "on_duty", **MORE},
            told("start_service", f"{DAY}T09:00:01", f"{DAY}T09:00:01", **ANA, orderId=Name("O1")),
        ),
    ),
    Case(
        "Local time is that of the order's place, on both sides of every change of the clocks and in the doubled hour.",
        [EVENT + "localTime"],
        settings(planningSeconds=0.2, timeZone="Asia/Tokyo"),
        *(step for place in PLACES for step in driver_for(place)),
        plan(DAY),
        send(DAY),
        *at_the_place(
            "Zagreb",
            ("2024-03-31T00:59:59", "2024-03-31T01:59:59"),
            ("2024-03-31T01:00:00", "2024-03-31T03:00:00"),
            ("2024-10-27T00:30:00", "2024-10-27T02:30:00"),
            ("2024-10-27T00:59:59", "2024-10-27T02:59:59"),
            ("2024-10-27T01:00:00", "2024-10-27T02:00:00"),
            ("2024-10-27T01:30:00", "2024-10-27T02:30:00"),
        ),
        *at_the_place(
            "Boston",
            ("2024-03-10T06:59:59", "2024-03-10T01:59:59"),
            ("2024-03-10T07:00:00", "2024-03-10T03:00:00"),
            ("2024-11-03T05:30:00", "2024-11-03T01:30:00"),
            ("2024-11-03T06:30:00", "2024-11-03T01:30:00"),
        ),
        *at_the_place(
            "Lord Howe",
            ("2024-04-06T14:59:59", "2024-04-07T01:59:59"),
            ("2024-04-06T15:00:00", "2024-04-07T01:30:00"),
            ("2024-10-05T15:29:59", "2024-10-06T01:59:59"),
            ("2024-10-05T15:30:00", "2024-10-06T02:30:00"),
        ),
    ),
    Case(
        "A subcontractor reads of its own drivers alone, and counts them alone.",
        ["get_events/response/remainingEvents"],
        fleet(1, subcontractor="Sub"),
        office("POST", "/api/drivers", {"name": "Own", "externalId": "OWN"}),
        office(
            *("POST", "/api/keys", {"role": "subcontractor", "name": "s", "subcontractor": "Sub"}),
            answer={"key": Name("sub"), **MORE},
        ),
        acts(action("on_duty", AT), driver="OWN"),
        acts(action("on_duty", AT + 1)),
        acts(action("off_duty", AT + 2), driver="OWN"),
        events({"driverExternalId": "D1", "event": "on_duty", **MORE}, key=Name("sub")),
        events(after=Name("tag"), tag="tag", key=Name("sub")),
        events({"event": "off_duty", **MORE}, after=Name("tag"), tag="end"),
    ),
]
