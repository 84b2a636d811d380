"""update_completion_details: the office's word on what became of orders."""

import time
from typing import Any

from tests.optimoroute.cases.completion import TRACKED, at, details
from tests.optimoroute.scenes import AT, DAY, HERE, action, acts, fleet, moment, order, orders, planned, sent, settings
from tests.optimoroute.table import MORE, Case, Name, Stage, Step, office, phone, plan, post, refused, send

UPDATE, ERRORS = "update_completion_details/", "get_completion_details/errors/"
TIME = UPDATE + "request/Time Update/"
BEGAN, ENDED = {"unixTimestamp": 1604264327}, {"utcTime": "2020-11-01T21:48:25"}
START = moment(1604264327, "2020-11-01T20:58:47", "2020-11-01T21:58:47")
END = moment(1604267305, "2020-11-01T21:48:25", "2020-11-01T22:48:25")
SOME_TIME = {"unixTimestamp": int, "utcTime": str, "localTime": str}


def update(*pairs: tuple[Any, dict[Any, Any]], **options: Any) -> Step:
    """The table of the document calls the answer's list ``updates``, its example ``orders``."""
    told = [told for _, told in pairs]
    answer = {"success": any(each["success"] for each in told), "updates": told, "orders": told}
    return post("update_completion_details", {"updates": [item for item, _ in pairs]}, answer, **options)


def word(number: str, answer: dict[Any, Any], **data: Any) -> tuple[dict[str, Any], dict[Any, Any]]:
    """One update by number, and what the order is after it."""
    return {"orderNo": number, "data": data}, {"success": True, "orderNo": number, "data": answer}


def ended(number: str, given: dict[str, Any], *expected: Any) -> tuple[dict[str, Any], dict[Any, Any]]:
    return word(number, {"status": "success", "endTime": moment(*expected)}, status="success", endTime=given)


def bad(*data: Any, code: str = "ERR_INVALID_PARAM_FORMAT") -> list[tuple[Any, dict[Any, Any]]]:
    return [({"orderNo": "O1", "data": each}, refused(code, orderNo="O1")) for each in data]


def seen_by_the_subcontractor(count: int) -> Step:
    """So many routes."""
    answer = {"success": True, "routes": [MORE] * count}
    return Step("GET", "/v1/get_routes", query={"date": DAY}, answer=answer, key=Name("subcontractor"))


def a_phone_whose_clock_is_ahead_succeeds(stage: Stage) -> None:
    acts(action("success", time.time() + 200, orderNo="O1"))(stage)


CASES = [
    Case(
        "The office says of any order what it is, and when its service began and ended where it has such times.",
        [
            UPDATE + "request/updates",
            *(UPDATE + f"request/Completion Details Update/{name}" for name in ("orderNo", "id", "data")),
            *(
                UPDATE + f"request/Completion Details Update fields/{name}"
                for name in ("status", "startTime", "endTime")
            ),
            UPDATE + "response/success",
            UPDATE + "response/updates",
        ],
        orders(*(order(f"O{n}") for n in range(8))),
        update(
            *(
                word(f"O{n}", answer | {"status": status}, status=status, startTime=BEGAN, endTime=ENDED)
                for n, (status, answer) in enumerate(
                    {
                        "unscheduled": {},
                        "scheduled": {},
                        "on_route": {},
                        "servicing": {"startTime": START},
                        "success": {"startTime": START, "endTime": END},
                        "failed": {"startTime": START, "endTime": END},
                        "rejected": {},
                        "cancelled": {},
                    }.items()
                )
            )
        ),
        details(
            {
                "O1": {"status": "scheduled"},
                "O3": {"status": "servicing", "startTime": START},
                "O5": {"status": "failed", "startTime": START, "endTime": END},
            }
        ),
        # What it said before stays where it says no other; what has ended without a time ended just now.
        update(
            word("O3", {"status": "failed", "startTime": START, "endTime": SOME_TIME}, status="failed"),
            word("O5", {"status": "success", "startTime": START, "endTime": END}, status="success"),
            word("O6", {"status": "servicing", "startTime": SOME_TIME}, status="servicing"),
            word("O7", {"status": "success", "endTime": SOME_TIME}, status="success", startTime=None),
            (
                {"id": Name("O4"), "data": {"status": "scheduled"}},
                {"success": True, "id": Name("O4"), "data": {"status": "scheduled"}},
            ),
        ),
        Step("GET", "/v1/get_events", answer={"events": [], "remainingEvents": 0, **MORE}),
    ),
    Case(
        "A time is given as Unix seconds, in UTC, or as it is at the order's place; the first that is there counts.",
        [TIME + "unixTimestamp", TIME + "utcTime", TIME + "localTime"],
        settings(timeZone="Asia/Tokyo"),
        orders(order("O1")),
        update(ended("O1", BEGAN, 1604264327, "2020-11-01T20:58:47", "2020-11-01T21:58:47")),
        update(ended("O1", ENDED, 1604267305, "2020-11-01T21:48:25", "2020-11-01T22:48:25")),
        update(
            ended(
                *("O1", {"localTime": "2020-11-01T16:48:25"}),
                *(1604245705, "2020-11-01T15:48:25", "2020-11-01T16:48:25"),
            )
        ),
        update(
            ended(
                *("O1", BEGAN | {"utcTime": "never", "localTime": "2020-11-01T16:48:25"}),
                *(1604264327, "2020-11-01T20:58:47", "2020-11-01T21:58:47"),
            )
        ),
        update(
            ended(
                *("O1", ENDED | {"localTime": "2020-11-01T16:48:25"}),
                *(1604267305, "2020-11-01T21:48:25", "2020-11-01T22:48:25"),
            )
        ),
        # Of an hour that there is twice the first is meant; one that was left out is as long after the change.
        update(
            ended(
                *("O1", {"localTime": "2024-10-27T02:30:00"}),
                *(1729989000, "2024-10-27T00:30:00", "2024-10-27T02:30:00"),
            )
        ),
        update(
            ended(
                *("O1", {"localTime": "2024-03-31T02:30:00"}),
                *(1711848600, "2024-03-31T01:30:00", "2024-03-31T03:30:00"),
            )
        ),
        # No order of the two is asked for: both are told as they were given.
        update(
            word(
                *("O1", {"status": "success", "startTime": END, "endTime": START}),
                **{"status": "success", "startTime": ENDED, "endTime": BEGAN},
            )
        ),
        update(
            *bad(
                *(
                    {"status": "failed", "endTime": time}
                    for time in (
                        {},
                        {"utcTime": "x"},
                        {"utcTime": "2020-02-30T00:00:00"},
                        {"unixTimestamp": 1604267305000},
                        {"unixTimestamp": "1604267305"},
                        {"localTime": "0001-01-01T00:00:00"},
                        "2020-11-01T21:48:25",
                    )
                )
            ),
            *bad({"status": "servicing", "startTime": {"localTime": "24:00"}}),
            # Where an order has no such time, none is read.
            word("O1", {"status": "cancelled"}, status="cancelled", endTime={}),
        ),
    ),
    Case(
        "Of many updates those that do not fit are refused by name, the others are made.",
        [UPDATE + "response/success", ERRORS + "ERR_ORD_NOT_FOUND", ERRORS + "ERR_MULTIPLE_ORD_FOUND"],
        orders(order("O1")),
        *(
            post("create_or_update_orders", {"orders": [order("B", operation="CREATE", acceptDuplicateOrderNo=True)]})
            for _ in range(2)
        ),
        update(
            ({"orderNo": "none", "data": {"status": "failed"}}, refused("ERR_ORD_NOT_FOUND", orderNo="none")),
            ({"id": "none", "data": {"status": "failed"}}, refused("ERR_ORD_NOT_FOUND", id="none")),
            ({"orderNo": "B", "data": {"status": "failed"}}, refused("ERR_MULTIPLE_ORD_FOUND", orderNo="B")),
            ({"data": {"status": "failed"}}, refused("ERR_INVALID_PARAM_FORMAT")),
            ({"orderNo": "O1"}, refused("ERR_MISSING_MAND_FIELD", orderNo="O1")),
            *bad({}, code="ERR_MISSING_MAND_FIELD"),
            *bad({"status": "lost"}, {"status": 1}, "failed", []),
            word("O1", {"status": "cancelled"}, status="cancelled"),
        ),
        update(({"orderNo": "none", "data": {"status": "failed"}}, refused("ERR_ORD_NOT_FOUND", orderNo="none"))),
        post("update_completion_details", {}, refused("ERR_MISSING_MAND_FIELD")),
        post("update_completion_details", {"updates": []}, refused("ERR_INVALID_PARAM_FORMAT")),
        post("update_completion_details", {"updates": [{}] * 501}, refused("ERR_INVALID_PARAM_FORMAT")),
    ),
    Case(
        "Phone and office speak of one order: the later word holds, and what was proven stays with it.",
        [UPDATE + "request/Completion Details Update fields/status"],
        *sent("O1"),
        acts(
            action("start_service", AT, orderNo="O1", position=HERE),
            action("success", AT + 60, orderNo="O1", position=HERE, form={"note": "done"}),
        ),
        update(
            word(
                "O1",
                {
                    "status": "failed",
                    "startTime": at(0),
                    "startPosition": MORE,
                    "endTime": at(60),
                    "endPosition": MORE,
                    "form": {"note": "done"},
                }
                | TRACKED,
                status="failed",
            ),
        ),
        # The driver has begun, and this is the next stop again.
        update(word("O1", {"status": "on_route"} | TRACKED, status="scheduled")),
        acts(action("failed", AT + 120, orderNo="O1")),  # arrives later and is earlier
        details({"O1": {"status": "on_route"} | TRACKED}),
        phone(
            *("D1", "actions", {"actions": [action("cancelled", AT + 180, orderNo="O1")]}),
            {"actions": [{"id": str, "success": False, "code": "ERR_ACTION_UNKNOWN", "message": str}]},
        ),
    ),
    Case(
        "An order that the office calls unscheduled leaves the plan, and is scheduled when it is planned again.",
        ["get_completion_details/response/Order Status Values/unscheduled"],
        fleet(),
        settings(planningSeconds=0.2),
        orders(*(order(f"O{n}", timeWindows=[{"twFrom": f"{n + 8:02}:00", "twTo": f"{n + 9:02}:00"}]) for n in (1, 3))),
        plan(DAY),
        send(DAY),
        acts(action("failed", AT, orderNo="O1")),
        details({"O1": {"status": "failed", **MORE}, "O3": {"status": "on_route"} | TRACKED}),
        update(word("O1", {"status": "unscheduled"} | TRACKED, status="unscheduled")),
        planned({"D1": ["O3"]}),
        details({"O3": {"status": "on_route"} | TRACKED}),
        plan(DAY),
        planned({"D1": ["O1", "O3"]}),
        details({"O1": {"status": "on_route"} | TRACKED, "O3": {"status": "scheduled"} | TRACKED}),
        # The last word of a call counts; what is called scheduled is that as long as the plan has it.
        update(
            *(word("O3", {"status": "scheduled"} | TRACKED, status=status) for status in ("unscheduled", "scheduled"))
        ),
        planned({"D1": ["O1", "O3"]}),
        update(word("O3", {"status": "scheduled"} | TRACKED, status="scheduled")),
        post("create_or_update_orders", {"orders": [{"orderNo": "O3", "date": "2026-03-03"}]}),
        details({"O3": {"status": "unscheduled"} | TRACKED}),
    ),
    Case(
        "What the office says last holds, also where it has just said much of the same order.",
        [UPDATE + "request/updates"],
        orders(order("O1")),
        post(
            "update_completion_details",
            {
                "updates": [{"orderNo": "O1", "data": {"status": "failed"}}] * 499
                + [{"orderNo": "O1", "data": {"status": "rejected"}}]
            },
        ),
        details({"O1": {"status": "rejected"}}),
        update(word("O1", {"status": "cancelled"}, status="cancelled")),
        details({"O1": {"status": "cancelled"}}),
    ),
    Case(
        "What the office says holds against a phone whose clock is ahead.",
        [UPDATE + "request/updates"],
        *sent("O1"),
        a_phone_whose_clock_is_ahead_succeeds,
        details({"O1": {"status": "success", "endTime": SOME_TIME} | TRACKED}),
        update(word("O1", {"status": "cancelled"} | TRACKED, status="cancelled")),
        details({"O1": {"status": "cancelled"} | TRACKED}),
    ),
    Case(
        "A subcontractor sees and says what its own drivers drive; a customer says nothing.",
        [UPDATE + "response/updates", "get_routes/response/routes", ERRORS + "ERR_ORD_NOT_FOUND"],
        *sent("O1"),
        orders(order("O2")),
        *(
            office(
                *("POST", "/api/keys", {"role": role, "name": "s", role: "Sub"}),
                answer={"key": Name(role), **MORE},
            )
            for role in ("subcontractor", "customer")
        ),
        seen_by_the_subcontractor(0),
        update(
            (word("O1", {}, status="failed")[0], refused("ERR_ORD_NOT_FOUND", orderNo="O1")), key=Name("subcontractor")
        ),
        fleet(1, subcontractor="Sub"),
        seen_by_the_subcontractor(1),
        update(
            word("O1", {"status": "cancelled"} | TRACKED, status="cancelled"),
            ({"orderNo": "O2", "data": {"status": "failed"}}, refused("ERR_ORD_NOT_FOUND", orderNo="O2")),
            key=Name("subcontractor"),
        ),
        post(
            "update_completion_details",
            {"updates": [{"orderNo": "O1", "data": {"status": "failed"}}]},
            refused("AUTH_KEY_UNKNOWN"),
            key=Name("customer"),
        ),
        details({"O1": {"status": "cancelled"} | TRACKED, "O2": {"status": "unscheduled"}}),
    ),
]
