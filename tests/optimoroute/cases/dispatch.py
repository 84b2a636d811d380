"""Sending routes and asking how they stand: what the vendor added after the document, as far as it is public."""

import re

from tests.optimoroute.table import ABSENT, MORE, OK, Case, Name, Step, get, office, phone, plan, post, refused, send

DATE, NEXT = "2026-03-02", "2026-03-03"
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
FLEET = (
    office("PATCH", "/api/settings", {"planningSeconds": 0.2}),
    office(
        "PUT",
        "/api/fleet",
        {
            "drivers": [
                {
                    "externalId": f"D{number}",
                    "serial": f"00{number}",
                    "name": f"Driver {number}",
                    "workTime": {"from": "08:00", "to": "17:00"},
                    "startLocation": {"latitude": 45.8, "longitude": 15.97, "address": "Depot"},
                }
                for number in (1, 2)
            ]
        },
    ),
)


def order(number: str, driver: str = "D1", date: str = DATE) -> dict:
    place = {"locationName": f"Shop {number}", "latitude": 45.81, "longitude": 15.98}
    return {"orderNo": number, "date": date, "duration": 5, "assignedTo": {"externalId": driver}, "location": place}


def orders(*given: dict):
    return post("create_or_update_orders", {"orders": list(given)})


def status(sent: str, answer: dict, **query: str):
    """``sent``: what the answer says of the routes."""
    routes = {"state": "not_sent"} if sent == "not_sent" else {"state": "sent", "sentAtUtc": UTC}
    told = {"success": True, "routes": routes, "notifications": {"state": "not_sent"}, **answer}
    return get("get_dispatch_status", told, **query)


def changes(added: int, modified: int, removed: int) -> dict:
    return {"routeChanges": {"added": added, "modified": modified, "removed": removed}}


SENT = post("send_routes", {"date": DATE}, {"success": True})

CASES = [
    Case(
        "Routes that were sent are the drivers', and are not sent twice.",
        [],
        *FLEET,
        orders(order("A1")),
        plan(DATE),
        phone("D1", "route", answer={"route": None, **MORE}, query={"date": DATE}),
        SENT,
        phone(
            "D1",
            "route",
            answer={"route": {"stops": [{"orderNo": "A1", **MORE}], **MORE}, **MORE},
            query={"date": DATE},
        ),
        post("send_routes", {"date": DATE, "sendNotifications": False}, refused("ERR_NOTHING_TO_SEND")),
        get(
            "get_completion_details",
            orderNo="A1",
            answer={"success": True, "orders": [{"data": {"tracking_url": ..., **MORE}, **MORE}]},
        ),
    ),
    Case(
        "A day without a plan has nothing to send.",
        [],
        *FLEET,
        orders(order("A1")),
        post("send_routes", {"date": DATE}, refused("ERR_NOTHING_TO_SEND")),
        status("not_sent", {"live": False, "date": DATE}, date=DATE),
    ),
    Case(
        "What was sent over the office's own API is sent, and a new plan can be sent again.",
        [],
        *FLEET,
        orders(order("A1")),
        plan(DATE),
        send(DATE),
        post("send_routes", {"date": DATE}, refused("ERR_NOTHING_TO_SEND")),
        orders(order("A2")),
        plan(DATE),
        SENT,
        post("send_routes", {"date": DATE}, refused("ERR_NOTHING_TO_SEND")),
    ),
    Case(
        "send_routes needs a date that is one.",
        [],
        post("send_routes", {}, refused("ERR_MISSING_MAND_FIELD")),
        post("send_routes", {"date": "2.3.2026"}, refused("ERR_INVALID_PARAM_FORMAT")),
        post("send_routes", {"date": DATE, "sendNotifications": "yes"}, refused("ERR_INVALID_PARAM_FORMAT")),
        get("send_routes", refused("MALFORMED_REQUEST"), date=DATE),
    ),
    Case(
        "Nothing is live before anything was sent; then it is what was sent last.",
        [],
        *FLEET,
        orders(order("A1"), order("B1", date=NEXT)),
        status("not_sent", {"live": False}),
        plan(DATE),
        plan(NEXT),
        SENT,
        status("sent", {"live": True, "date": DATE}),
        status("not_sent", {"live": False, "date": NEXT}, date=NEXT),
        post("send_routes", {"date": NEXT}, {"success": True}),
        status("sent", {"live": True, "date": NEXT}),
        status("sent", {"live": False, "date": DATE}, date=DATE),
    ),
    Case(
        "Routes that changed since they were sent are counted where that is asked for.",
        [],
        *FLEET,
        orders(order("A1")),
        plan(DATE),
        status("not_sent", {"live": False, "date": DATE, **changes(1, 0, 0)}, date=DATE, includeRouteChanges="true"),
        SENT,
        status("sent", {"live": True, "date": DATE, **changes(0, 0, 0)}, includeRouteChanges="true"),
        orders(order("A2"), order("B1", "D2")),
        plan(DATE),
        status("sent", {"live": True, "date": DATE, **changes(1, 1, 0)}, includeRouteChanges="true"),
        post("update_driver_parameters", {"externalId": "D1", "date": DATE, "enabled": False}),
        status("sent", {"live": True, "date": DATE, **changes(1, 0, 1)}, includeRouteChanges="true"),
        status("sent", {"live": True, "date": DATE}, includeRouteChanges="false"),
    ),
    Case(
        "get_dispatch_status takes a date that is one, a flag that is one, and no POST.",
        [],
        get("get_dispatch_status", refused("ERR_INVALID_PARAM_FORMAT"), date="tomorrow"),
        get("get_dispatch_status", refused("ERR_INVALID_PARAM_FORMAT"), includeRouteChanges="maybe"),
        post("get_dispatch_status", {}, refused("MALFORMED_REQUEST")),
    ),
    Case(
        "Neither is for keys of customers and subcontractors.",
        [],
        office(
            "POST",
            "/api/keys",
            {"role": "subcontractor", "name": "k", "subcontractor": "S"},
            {"key": Name("sub"), **MORE},
        ),
        post("send_routes", {"date": DATE}, refused("AUTH_KEY_UNKNOWN"), key=Name("sub")),
        Step("GET", "/v1/get_dispatch_status", answer=refused("AUTH_KEY_UNKNOWN"), key=Name("sub")),
    ),
    Case(
        "A live estimate is given of an order that was sent and has not begun.",
        [],
        *FLEET,
        orders(order("A1"), order("A2")),
        plan(DATE),
        get("get_scheduling_info", {**OK, "scheduleInformation": {"liveEstimate": ABSENT, **MORE}}, orderNo="A1"),
        SENT,
        get(
            "get_scheduling_info",
            {**OK, "scheduleInformation": {"liveEstimate": {"scheduledAt": str, "scheduledAtDt": str}, **MORE}},
            orderNo="A1",
        ),
        post("update_completion_details", {"updates": [{"orderNo": "A1", "data": {"status": "success"}}]}),
        get("get_scheduling_info", {**OK, "scheduleInformation": {"liveEstimate": ABSENT, **MORE}}, orderNo="A1"),
        post(
            "search_orders",
            {"orders": [{"orderNo": "A1"}], "includeScheduleInformation": True},
            {"success": True, "orders": [{"id": str, "scheduleInformation": {"liveEstimate": ABSENT, **MORE}}]},
        ),
        post(
            "search_orders",
            {"orders": [{"orderNo": "A2"}], "includeScheduleInformation": True},
            {
                "success": True,
                "orders": [{"id": str, "scheduleInformation": {"liveEstimate": {"scheduledAt": str, **MORE}, **MORE}}],
            },
        ),
    ),
    Case(
        "A search for the vendor's status unfinished is allowed, and finds nothing.",
        [],
        orders(order("A1") | {"assignedTo": None}),
        post(
            "search_orders",
            {"dateRange": {"from": DATE, "to": DATE}, "orderStatus": ["unfinished"]},
            {"success": True, "orders": []},
        ),
        post(
            "search_orders",
            {"dateRange": {"from": DATE, "to": DATE}, "orderStatus": ["unfinished", "unscheduled"]},
            {"success": True, "orders": [{"id": str}]},
        ),
    ),
]
