"""search_orders: what is found, what is told of it, and how it is read on."""

from typing import Any

from tests.optimoroute.cases.order_object import UNSAID, save
from tests.optimoroute.scenes import DAY, MOMENT, order, orders, sent
from tests.optimoroute.table import ABSENT, MORE, OK, Case, Name, Play, Stage, office, post, refused

ROW = "search_orders/"
PART = ROW + "response/Order Response/"
MISSING, WRONG = refused("ERR_MISSING_MAND_FIELD"), refused("ERR_INVALID_PARAM_FORMAT")
TODAY = {"from": DAY, "to": DAY}
STOCK = (
    orders(order("N1"), order("N2", date="2026-03-05"), order("N3", date="2026-04-06")),
    *(
        save(
            order("B1", operation="CREATE", date="2026-03-04", acceptDuplicateOrderNo=True),
            answers=[{**OK, "id": Name(name)}],
        )
        for name in ("B1", "B2")
    ),
)


def search(*names: str, **body: Any) -> Play:
    """Finds these, in any order, and tells nothing of them but their ids."""

    def play(stage: Stage) -> None:
        answer = stage.company.v1("search_orders", stage.fill(body))
        assert answer.keys() == {"success", "orders"} and answer["success"] is True, answer
        assert all(each.keys() == {"id"} for each in answer["orders"]), answer
        assert sorted(each["id"] for each in answer["orders"]) == sorted(stage.names[each] for each in names)

    return play


def read_on(stage: Stage) -> None:
    """Pages of 500, each order once, in the order of dates, whatever is added in front meanwhile."""
    for first in range(0, 1100, 400):
        many = [order(f"N{n}", date=f"2026-03-{2 + n % 7:02}") for n in range(first, min(first + 400, 1100))]
        assert stage.company.v1("create_or_update_orders", {"orders": many})["success"]
    body: dict[str, Any] = {"dateRange": {"from": DAY, "to": "2026-03-31"}, "includeOrderData": True}
    pages = []
    while True:
        answer = stage.company.v1("search_orders", body)
        assert answer["success"], answer
        pages.append(answer["orders"])
        if "after_tag" not in answer:
            break
        assert stage.company.v1("create_or_update_orders", {"orders": [order("N1", orderNo="before")]})["success"]
        body = body | {"after_tag": answer["after_tag"]}
    assert [len(page) for page in pages] == [500, 500, 100]
    read = [each["data"] for page in pages for each in page]
    assert len({each["orderNo"] for each in read} - {"before"}) == 1100
    assert [each["date"] for each in read] == sorted(each["date"] for each in read)


CASES = [
    Case(
        "Orders are found by number and by id; a number finds all that have it, a name of nobody nothing.",
        [ROW + "request/orders", *(ROW + f"response/{name}" for name in ("success", "orders")), PART + "id"],
        *STOCK,
        search("N1", orders=[{"orderNo": "N1"}]),
        search("N1", "N2", orders=[{"id": Name("N2")}, {"orderNo": "none"}, {"id": "ffff"}, {"orderNo": "N1"}]),
        search("N1", orders=[{"orderNo": "N1"}, {"id": Name("N1"), "orderNo": "N2"}]),
        search("B1", "B2", orders=[{"orderNo": "B1"}]),
        search(orders=[{"orderNo": "none"}]),
        search("N1", orders=[{"orderNo": "N1"}] * 500),
        *(post("search_orders", {"orders": each}, WRONG) for each in ([], {}, [{}], ["N1"], [{"orderNo": 5}])),
        post("search_orders", {"orders": [{"orderNo": "N1"}] * 501}, WRONG),
    ),
    Case(
        "Orders are found by date, from one to another, both included.",
        [ROW + "request/dateRange"],
        *STOCK,
        search("N1", dateRange=TODAY),
        search("N1", "B1", "B2", "N2", dateRange={"from": DAY, "to": "2026-03-05"}),
        search("B1", "B2", dateRange={"from": "2026-03-03", "to": "2026-03-04"}),
        search(dateRange={"from": "2026-03-03", "to": "2026-03-03"}),
        # Five weeks from a Monday to a Monday, and not a day more.
        search("N1", "B1", "B2", "N2", "N3", dateRange={"from": DAY, "to": "2026-04-06"}),
        post("search_orders", {"dateRange": {"from": DAY, "to": "2026-04-07"}}, WRONG),
        post("search_orders", {"dateRange": {"from": DAY, "to": "2026-03-01"}}, WRONG),
        post("search_orders", {"dateRange": {"from": DAY, "to": "2026-02-30"}}, WRONG),
        *(post("search_orders", {"dateRange": each}, MISSING) for each in ({}, {"from": DAY}, {"to": DAY})),
        *(post("search_orders", {"dateRange": each}, WRONG) for each in (DAY, [DAY, DAY], {"from": 1, "to": 2})),
    ),
    Case(
        "By names and dates those are found that both fit; one of the two there has to be.",
        [ROW + "request/orders", ROW + "request/dateRange"],
        *STOCK,
        search("N1", orders=[{"orderNo": "N1"}, {"orderNo": "N2"}], dateRange=TODAY),
        search(orders=[{"orderNo": "N2"}], dateRange=TODAY),
        post("search_orders", {}, MISSING),
        post("search_orders", {"orderStatus": ["failed"]}, MISSING),
    ),
    Case(
        "Of those only the ones in a state that is asked for are told.",
        [ROW + "request/orderStatus"],
        *sent("N1", "N2", "N3"),
        orders(order("N4")),
        post(
            "update_completion_details",
            {
                "updates": [
                    {"orderNo": "N1", "data": {"status": "failed"}},
                    {"orderNo": "N2", "data": {"status": "rejected"}},
                ]
            },
        ),
        search("N1", "N2", dateRange=TODAY, orderStatus=["failed", "rejected"]),
        search("N1", dateRange=TODAY, orderStatus=["failed", "success"]),
        search("N4", dateRange=TODAY, orderStatus=["unscheduled"]),
        search("N2", orders=[{"orderNo": f"N{n}"} for n in (1, 2, 4)], orderStatus=["rejected"]),
        search("N1", "N2", "N3", "N4", dateRange=TODAY, orderStatus=[]),
        *(
            post("search_orders", {"dateRange": TODAY, "orderStatus": each}, WRONG)
            for each in (["lost"], "failed", [1])
        ),
    ),
    Case(
        "What an order says is told only on demand.",
        [ROW + "request/includeOrderData", PART + "data"],
        orders(order("N1", duration=..., type=..., load1=...)),
        search("N1", dateRange=TODAY, includeOrderData=False),
        post(
            "search_orders",
            {"dateRange": TODAY, "includeOrderData": True},
            {"success": True, "orders": [{"id": Name("N1"), "data": UNSAID}]},
        ),
        post("search_orders", {"dateRange": TODAY, "includeOrderData": "yes"}, WRONG),
    ),
    Case(
        "Where an order is scheduled is told only on demand, and null where it is not.",
        [ROW + "request/includeScheduleInformation", PART + "scheduleInformation"],
        *sent("N1"),
        orders(order("N2")),
        search("N1", "N2", dateRange=TODAY, includeScheduleInformation=False),
        post(
            "search_orders",
            {"dateRange": TODAY, "includeScheduleInformation": True},
            {
                "success": True,
                "orders": [
                    {
                        "id": Name("N1"),
                        "scheduleInformation": {
                            "driverExternalId": "D1",
                            "driverSerial": "S1",
                            "driverName": "Driver 1",
                            "vehicleRegistration": "VEH1",
                            "vehicleLabel": "Van 1",
                            "stopNumber": 1,
                            "scheduledAt": str,
                            "scheduledAtDt": MOMENT,
                            "arrivalTimeDt": MOMENT,
                            "travelTime": int,
                            "distance": int,
                            **MORE,
                        },
                    },
                    {"id": Name("N2"), "scheduleInformation": None},
                ],
            },
        ),
        post(
            "search_orders",
            {"orders": [{"orderNo": "N2"}], "includeScheduleInformation": True, "includeOrderData": True},
            {"success": True, "orders": [{"id": Name("N2"), "data": MORE, "scheduleInformation": None}]},
        ),
    ),
    Case(
        "More than 500 orders are read on page by page, by the tag of the page before.",
        [ROW + "request/after_tag", ROW + "response/after_tag", ROW + "response/orders"],
        read_on,
    ),
    Case(
        "A last page has no tag, and a tag that nobody gave is refused.",
        [ROW + "request/after_tag", ROW + "response/after_tag"],
        *STOCK,
        post("search_orders", {"dateRange": TODAY}, {"success": True, "orders": [MORE], "after_tag": ABSENT}),
        post("search_orders", {"dateRange": TODAY, "after_tag": ""}),
        *(
            post("search_orders", {"dateRange": TODAY, "after_tag": each}, WRONG)
            for each in ("abc", "☎", 5, "QUJD" * 20)
        ),
    ),
    Case(
        "A customer's key finds that customer's orders alone.",
        [ROW + "request/orders"],
        orders(order("N1", customer="Anna"), order("N2", customer="Bert")),
        office(
            "POST",
            "/api/keys",
            {"role": "customer", "name": "Anna's", "customer": "Anna"},
            {**MORE, "key": Name("key")},
        ),
        post("search_orders", {"dateRange": TODAY}, {"success": True, "orders": [{"id": Name("N1")}]}, key=Name("key")),
        post("search_orders", {"orders": [{"id": Name("N2")}]}, {"success": True, "orders": []}, key=Name("key")),
    ),
]
