"""delete_order, delete_orders and delete_all_orders."""

from typing import Any

from tests.optimoroute.cases.order_object import save
from tests.optimoroute.scenes import DAY, fleet, order, orders, planned, sent, settings
from tests.optimoroute.table import MORE, Case, Name, Step, get, office, plan, post, refused

DONE = {"success": True}
TUESDAY = "2026-03-03"
MISSING, WRONG = refused("ERR_MISSING_MAND_FIELD"), refused("ERR_INVALID_PARAM_FORMAT")
TWICE = [order("N1", operation="CREATE", acceptDuplicateOrderNo=True)] * 2
RUNNING = (
    fleet(),
    settings(planningSeconds=60),
    orders(order("N1"), order("N2", date=TUESDAY)),
    post("start_planning", {"date": DAY}, {"success": True, "planningId": Name("job")}),
)
BUSY = refused("ERR_OPT_RUNNING", planningId=Name("job"))
STOP = post("stop_planning", {"planningId": Name("job")})


def delete(answer: Any, **body: Any) -> Step:
    return post("delete_order", body, answer)


def several(names: list[Any], *parts: Any, **flags: Any) -> Step:
    answer = {"success": any(part.get("success") for part in parts), "orders": list(parts)}
    return post("delete_orders", {"orders": names} | flags, answer)


def left(*numbers: str) -> Step:
    """What is still there, of all dates, by number."""

    def play(stage: Any) -> None:
        found = stage.company.client.get("/api/orders", params={"limit": 500}).json()["items"]
        assert sorted(each["orderNo"] for each in found) == sorted(numbers), found

    return play


def finished(number: str) -> Step:
    body = {"updates": [{"orderNo": number, "data": {"status": "success"}}]}
    return post("update_completion_details", body)


CASES = [
    Case(
        "An order is deleted by its number, once.",
        [
            *(f"delete_order/{row}" for row in ("request/orderNo", "response/success", "response/code")),
            *(f"delete_order/{row}" for row in ("response/message", "errors/ERR_ORD_NOT_FOUND")),
        ],
        orders(order("N1"), order("N2")),
        delete(DONE, orderNo="N1"),
        delete(refused("ERR_ORD_NOT_FOUND"), orderNo="N1"),
        left("N2"),
        delete(MISSING),
        delete(MISSING, orderNo=""),
        delete(MISSING, forceDelete=True),
        delete(WRONG, orderNo=5),
        left("N2"),
        delete(DONE, id=Name("N2"), orderNo="none"),
        left(),
    ),
    Case(
        "Of two orders with the number none is deleted, by force neither.",
        ["delete_order/errors/ERR_MULTIPLE_ORD_FOUND"],
        save(*TWICE),
        delete(refused("ERR_MULTIPLE_ORD_FOUND"), orderNo="N1"),
        delete(refused("ERR_MULTIPLE_ORD_FOUND"), orderNo="N1", forceDelete=True),
        left("N1", "N1"),
    ),
    Case(
        "An order of a plan that was sent is deleted with force and without, finished or not.",
        ["delete_order/request/forceDelete", "delete_orders/request/forceDelete"],
        *sent("N0", "N1", "N2", "N3", "N4"),
        finished("N3"),
        delete(DONE, orderNo="N0", forceDelete=False),
        delete(DONE, orderNo="N1", forceDelete=True),
        several([{"orderNo": "N2"}], {"success": True, "orderNo": "N2"}, forceDelete=False),
        several([{"orderNo": "N3"}], {"success": True, "orderNo": "N3"}, forceDelete=True),
        planned({"D1": ["N4"]}),
        delete(WRONG, orderNo="N4", forceDelete="yes"),
        post("delete_orders", {"orders": [{"orderNo": "N4"}], "forceDelete": 1}, WRONG),
    ),
    Case(
        "An order that is being planned is not deleted, by force neither; the planning is named.",
        [
            *(f"{name}/errors/ERR_OPT_RUNNING" for name in ("delete_order", "delete_orders")),
            *("delete_order/response/planningId", "delete_orders/response/Delete Response/planningId"),
        ],
        *RUNNING,
        delete(BUSY, orderNo="N1"),
        delete(BUSY, orderNo="N1", forceDelete=True),
        several(
            [{"orderNo": "N1"}, {"id": Name("N1")}, {"orderNo": "N2"}],
            {**BUSY, "orderNo": "N1"},
            {**BUSY, "id": Name("N1")},
            {"success": True, "orderNo": "N2"},
            forceDelete=True,
        ),
        STOP,
        delete(DONE, orderNo="N1"),
    ),
    Case(
        "Each of several is deleted by its number or its id and answered by the same.",
        [
            *(f"delete_orders/{row}" for row in ("request/orders", "response/success", "response/orders")),
            *(
                f"delete_orders/response/Delete Response/{name}"
                for name in ("success", "code", "message", "orderNo", "id")
            ),
            *(f"delete_orders/errors/{code}" for code in ("ERR_ORD_NOT_FOUND", "ERR_INVALID_PARAM_FORMAT")),
        ],
        orders(order("N1"), order("N2"), order("N3")),
        several(
            [{"orderNo": "N1"}, {"orderNo": "N1"}, {"id": Name("N2")}, {"id": "ffff"}, {"orderNo": 5}, {}, "N3"],
            {"success": True, "orderNo": "N1"},
            refused("ERR_ORD_NOT_FOUND", orderNo="N1"),
            {"success": True, "id": Name("N2")},
            refused("ERR_ORD_NOT_FOUND", id="ffff"),
            WRONG,
            WRONG,
            WRONG,
        ),
        several([{"orderNo": "N1"}], refused("ERR_ORD_NOT_FOUND", orderNo="N1")),
        left("N3"),
        post("delete_orders", {}, MISSING),
        *(post("delete_orders", {"orders": each}, WRONG) for each in ([], {}, [{"orderNo": "N3"}] * 501)),
        left("N3"),
    ),
    Case(
        "All orders with a number are deleted only where that is asked for.",
        ["delete_orders/request/deleteMultiple", "delete_orders/errors/ERR_MULTIPLE_ORD_FOUND"],
        save(*TWICE, order("N2")),
        several([{"orderNo": "N1"}], refused("ERR_MULTIPLE_ORD_FOUND", orderNo="N1")),
        several([{"orderNo": "N1"}], refused("ERR_MULTIPLE_ORD_FOUND", orderNo="N1"), deleteMultiple=False),
        left("N1", "N1", "N2"),
        post("delete_orders", {"orders": [{"orderNo": "N1"}], "deleteMultiple": "yes"}, WRONG),
        several(
            [{"orderNo": "N1"}, {"orderNo": "N2"}, {"orderNo": "none"}],
            *({"success": True, "orderNo": number} for number in ("N1", "N2")),
            refused("ERR_ORD_NOT_FOUND", orderNo="none"),
            deleteMultiple=True,
        ),
        left(),
    ),
    Case(
        "All orders and routes of a date are deleted, and nothing of another.",
        [
            *(f"delete_all_orders/{row}" for row in ("request/date", "response/success", "response/code")),
            "delete_all_orders/response/message",
        ],
        fleet(),
        settings(planningSeconds=0.2),
        orders(order("N1"), order("N2"), order("T1", date=TUESDAY)),
        plan(DAY),
        plan(TUESDAY),
        *(post("delete_all_orders", {"date": each}, WRONG) for each in ("", "02.03.2026", "2026-02-30", 20260302)),
        left("N1", "N2", "T1"),
        post("delete_all_orders", {"date": DAY}, DONE),
        left("T1"),
        get("get_routes", {"success": True, "routes": []}, date=DAY),
        get("get_routes", {"success": True, "routes": [{**MORE, "stops": [{**MORE, "orderNo": "T1"}]}]}, date=TUESDAY),
        post("delete_all_orders", {"date": DAY}, DONE),
    ),
    Case(
        "Without a date all orders and routes of all dates are deleted.",
        ["delete_all_orders/request/date"],
        *sent("N1", "N2"),
        save(order("T1", date=TUESDAY), order("U1", date="2020-01-01")),
        post("delete_all_orders", {}, DONE),
        left(),
        get("get_routes", {"success": True, "routes": []}, date=DAY),
        office("GET", "/api/drivers", answer={**MORE, "items": [MORE]}),
        post("delete_all_orders", {}, DONE),
    ),
    Case(
        "Nothing of a date is deleted while that date is being planned; the planning is named.",
        ["delete_all_orders/errors/ERR_OPT_RUNNING", "delete_all_orders/response/planningId"],
        *RUNNING,
        post("delete_all_orders", {"date": DAY}, BUSY),
        post("delete_all_orders", {}, BUSY),
        left("N1", "N2"),
        post("delete_all_orders", {"date": TUESDAY}, DONE),
        left("N1"),
        STOP,
        post("delete_all_orders", {"date": DAY}, DONE),
        left(),
    ),
]
