"""get_orders, by POST and by GET."""

from tests.optimoroute.cases.create_order import FULL, HERE
from tests.optimoroute.cases.order_object import CODES, UNSAID, save
from tests.optimoroute.scenes import order, orders
from tests.optimoroute.table import MORE, Case, Name, get, office, post, refused

ROW = "get_orders/"
PART = ROW + "response/Order Response/"
FOUND = {"success": True, "id": Name("N1"), "data": {**MORE, "id": Name("N1"), "orderNo": "N1"}}
NONE = refused("ERR_ORD_NOT_FOUND", orderNo="none")
WRONG = refused("ERR_INVALID_PARAM_FORMAT")

CASES = [
    Case(
        "Each name is answered in its place, by number or by id; one that finds nothing is said again.",
        [
            ROW + "request/orders",
            *(ROW + f"response/{name}" for name in ("success", "orders")),
            *(PART + name for name in ("success", "code", "message", "orderNo", "id", "data")),
            ROW + "errors/ERR_ORD_NOT_FOUND",
        ],
        orders(order("N1")),
        post(
            "get_orders",
            {"orders": [{"orderNo": "N1"}, {"orderNo": "none"}, {"id": Name("N1")}, {"id": "ffff"}]},
            {"success": True, "orders": [FOUND, NONE, FOUND, refused("ERR_ORD_NOT_FOUND", id="ffff")]},
        ),
        post("get_orders", {"orders": [{"orderNo": "none"}]}, {"success": False, "orders": [NONE]}),
    ),
    Case(
        "All of an order is told, also what is empty.",
        [PART + "data"],
        office("PUT", "/api/fleet", CODES),
        save(order("N1", **FULL, location=HERE), order("N2", duration=..., type=..., load1=...)),
        get(
            "get_orders",
            {
                "success": True,
                "orders": [
                    {"success": True, "id": Name("N1"), "data": UNSAID | FULL | {"type": "D"}},
                    {"success": True, "id": Name("N2"), "data": UNSAID | {"id": Name("N2"), "orderNo": "N2"}},
                ],
            },
            orderNo=["N1", "N2"],
        ),
    ),
    Case(
        "By GET orders are named by their numbers, as often as need be.",
        [ROW + "request/orderNo"],
        orders(order("N1"), order("N2")),
        get("get_orders", {"success": True, "orders": [FOUND]}, orderNo="N1"),
        get("get_orders", {"success": True, "orders": [FOUND, NONE, MORE, FOUND]}, orderNo=["N1", "none", "N2", "N1"]),
        get("get_orders", {"success": False, "orders": [NONE]}, orderNo="none"),
        get("get_orders", refused("ERR_MISSING_MAND_FIELD")),
        get("get_orders", refused("ERR_MISSING_MAND_FIELD"), orderNo=""),
        get("get_orders", refused("ERR_MISSING_MAND_FIELD"), id=Name("N1")),
        get("get_orders", WRONG, orderNo=["N1"] * 501),
        get("get_orders", orderNo=["N1"] * 500),
    ),
    Case(
        "A number that two orders have is told to be of more than one.",
        [ROW + "errors/ERR_MULTIPLE_ORD_FOUND"],
        save(*[order("N1", operation="CREATE", acceptDuplicateOrderNo=True)] * 2),
        get(
            "get_orders", {"success": False, "orders": [refused("ERR_MULTIPLE_ORD_FOUND", orderNo="N1")]}, orderNo="N1"
        ),
    ),
    Case(
        "A name that is none is refused by itself, a list that is none as a whole.",
        [ROW + "errors/ERR_INVALID_PARAM_FORMAT", ROW + "request/orders"],
        orders(order("N1")),
        post(
            "get_orders",
            {"orders": [{"orderNo": 5}, {"orderNo": ""}, {}, "N1", None, {"orderNo": "N1"}, {"orderNo": "x" * 501}]},
            {"success": True, "orders": [WRONG] * 5 + [FOUND, {**WRONG, "orderNo": "x" * 501}]},
        ),
        post("get_orders", {}, refused("ERR_MISSING_MAND_FIELD")),
        *(post("get_orders", {"orders": each}, WRONG) for each in ([], {}, "N1", None, [{"orderNo": "N1"}] * 501)),
        post("get_orders", {"orders": [{"orderNo": "N1"}] * 500}),
    ),
]
