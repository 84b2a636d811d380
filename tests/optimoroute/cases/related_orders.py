"""Pickups and the deliveries that belong to them: linked, told from both sides, and let go."""

from tests.optimoroute.cases.order_object import save, shows
from tests.optimoroute.scenes import order, orders
from tests.optimoroute.table import OK, Case, Name, post, refused

LINK = refused("ERR_RELATED_ORD_LINK", orderNo="N1")
PAIR = (orders(order("P1", type="P"), order("D1", type="D", relatedOrderNo="P1")),)
PAIRED = (
    shows(number="P1", relatedOrderNo="D1", relatedId=Name("D1")),
    shows(number="D1", relatedOrderNo="P1", relatedId=Name("P1")),
)
ALONE = {"relatedOrderNo": None, "relatedId": None}

CASES = [
    Case(
        "A delivery is related to a pickup that is there already, and both show it; null relates it to nothing.",
        ["objects/Order/relatedOrderNo"],
        *PAIR,
        *PAIRED,
        save({"orderNo": "D1", "relatedOrderNo": None}),
        shows(number="P1", **ALONE),
        shows(number="D1", **ALONE),
        save(order("D2", type="D", relatedOrderNo="P2"), answers=[refused("ERR_RELATED_ORD_MISSING", orderNo="D2")]),
    ),
    Case(
        "An order is related by id as by number, the id first.",
        ["objects/Order/relatedId"],
        orders(order("P1", type="P"), order("P2", type="P"), order("D1")),
        save({"orderNo": "D1", "relatedId": Name("P1"), "relatedOrderNo": "P2"}),
        *PAIRED,
        shows(number="P2", **ALONE),
        save({"orderNo": "D1", "relatedId": None}),
        shows(number="P1", **ALONE),
        save(order("D2", relatedId="ffff"), answers=[refused("ERR_RELATED_ORD_MISSING", orderNo="D2")]),
    ),
    Case(
        "Both of a pair can be sent again as they were read, and the first one without its relation.",
        ["objects/Order/relatedOrderNo", "objects/Order/relatedId"],
        *PAIR,
        save(
            order("P1", type="P", operation="SYNC", relatedOrderNo="D1", relatedId=Name("D1")),
            order("D1", type="D", operation="SYNC", relatedOrderNo="P1", relatedId=Name("P1")),
            order("P1", type="P", operation="SYNC"),
            order("P1", type="P", operation="SYNC", relatedOrderNo=None),
        ),
        *PAIRED,
        save(order("D1", type="D", operation="SYNC")),
        shows(number="P1", **ALONE),
    ),
    Case(
        "Only a pickup and a delivery can be linked, each to one other, and neither becomes something else.",
        ["objects/Order/relatedOrderNo"],
        *PAIR,
        orders(order("T1", type="T"), order("P2", type="P")),
        save(
            *(order("N1", type=kind, relatedOrderNo=other) for kind, other in (("P", "P1"), ("T", "P1"), ("D", "T1"))),
            order("N1", type="D", relatedOrderNo="P1"),
            answers=[LINK] * 4,
        ),
        save(
            {"orderNo": "D1", "type": "T"},
            {"orderNo": "P1", "type": "D"},
            {"orderNo": "D1", "relatedOrderNo": "D1"},
            {"orderNo": "D1", "relatedOrderNo": "P2"},
            answers=[*[refused("ERR_RELATED_ORD_LINK", orderNo=number) for number in ("D1", "P1", "D1")], OK],
        ),
        shows(number="P1", **ALONE),
        shows(number="P2", relatedOrderNo="D1", relatedId=Name("D1")),
    ),
    Case(
        "Of a pair of which one is deleted, the other is an order by itself.",
        ["objects/Order/relatedOrderNo", "objects/Order/relatedId"],
        orders(order("P1", type="P"), order("D1", relatedOrderNo="P1")),
        orders(order("P2", type="P"), order("D2", relatedOrderNo="P2")),
        post("delete_orders", {"orders": [{"orderNo": "P1"}, {"orderNo": "D2"}]}),
        shows(number="D1", **ALONE),
        shows(number="P2", **ALONE),
        save(order("D3", relatedOrderNo="P2"), {"orderNo": "D1", "type": "T"}),
        shows(number="P2", relatedOrderNo="D3", relatedId=str),
    ),
]
