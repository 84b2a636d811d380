"""get_completion_details: what became of orders, as phones and the office told it."""

import io
import re
import uuid
from typing import Any

import httpx
from PIL import Image

from tests.api.files import hand_in, picture
from tests.optimoroute.scenes import AT, DAY, HERE, action, acts, fleet, moment, order, orders, sent, settings
from tests.optimoroute.table import MORE, Case, Name, Play, Stage, Step, get, office, plan, post, refused, send

GET, FIELDS = "get_completion_details/", "get_completion_details/response/Completion Details fields/"
FORM, STATUS = "get_completion_details/response/Form Data/", "get_completion_details/response/Order Status Values/"
TRACKED = {"tracking_url": re.compile(r"http://127\.0\.0\.1:\d+/t/[A-Za-z0-9_-]{12,}")}
LINK = re.compile(r"http://127\.0\.0\.1:\d+/files/\S+")
FAR = HERE | {"distanceToLocation": 556.0}  # 0.005° on a great circle
FILES = {name: str(uuid.uuid4()) for name in ("signature", "front", "door", "label")}
WINDOWS = {  # so that the route has one order alone
    "O1": {"twFrom": "08:00", "twTo": "09:00"},
    "O2": {"twFrom": "10:00", "twTo": "11:00"},
    "O3": {"twFrom": "12:00", "twTo": "13:00"},
    "O4": {"twFrom": "14:00", "twTo": "15:00"},
}


def details(expected: dict[str, dict[Any, Any]], **options: Any) -> Step:
    """The data of these orders, asked for by their numbers."""
    told = [{"success": True, "orderNo": number, "data": data} for number, data in expected.items()]
    asked = {"orders": [{"orderNo": number} for number in expected]}
    return post("get_completion_details", asked, {"success": True, "orders": told}, **options)


def at(seconds: int) -> dict[str, Any]:
    """So many seconds after nine, UTC; at the place it is ten."""
    minute, second = divmod(seconds, 60)
    clock = f"{minute:02}:{second:02}"
    return moment(AT + seconds, f"{DAY}T09:{clock}", f"{DAY}T10:{clock}")


def photo() -> bytes:
    """One that tells where it was taken."""
    exif = Image.Exif()
    exif[0x010F] = "Camera of Ana"
    made = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(made, "JPEG", exif=exif)
    return made.getvalue()


BYTES = {"signature": picture("red"), "front": photo(), "door": picture("green"), "label": picture("blue")}


def the_phone_hands_in(*names: str) -> Play:
    def play(stage: Stage) -> None:
        for name in names:
            kind = {"signature": "signature", "label": "barcode"}.get(name, "image")
            assert hand_in(stage.phone("D1"), BYTES[name], id=FILES[name], kind=kind).status_code == 201

    return play


def every_link_leads_to_the_bytes_that_came(stage: Stage) -> None:
    form = stage.company.v1("get_completion_details", orderNo="O1")["orders"][0]["data"]["form"]
    links = [form["signature"], *form["images"], *form["barcode"][1]["scanInfo"]["images"]]
    for name, link in zip(FILES, links, strict=True):
        answer = httpx.get(link["url"])
        assert answer.status_code == 200 and answer.content == BYTES[name]
        assert answer.headers["content-type"] == link["type"]


def a_customers_link_does_not_tell_where(stage: Stage) -> None:
    url = f"{stage.server.url}/v1/get_completion_details"
    told = httpx.get(url, params={"key": stage.names["shop"], "orderNo": "O1"}).json()["orders"][0]
    seen = httpx.get(told["data"]["form"]["images"][0]["url"]).content
    assert b"Camera of Ana" in BYTES["front"] and b"Camera of Ana" not in seen
    assert not Image.open(io.BytesIO(seen)).getexif()


def image(kind: str) -> dict[str, Any]:
    return {"type": kind, "url": LINK}


def scan(status: str, expected: str | None, **info: Any) -> dict[str, Any]:
    return {"barcode": expected, "scanInfo": {"status": status} | info}


SCANS = [
    scan("success", "123456", scanned="123456", type="ean-13"),
    scan("unscannable", "345678"),
    scan("replaced", "222", scanned="333", type="qr"),
    scan("missing", "444"),
]
COLLECTED = [scan("added", None, scanned="000123", type="code-128"), scan("added", "", scanned="000124")]
GIVEN = {
    "note": "left with neighbour",
    "signature": FILES["signature"],
    "images": [FILES["front"], FILES["door"]],
    "barcode": [SCANS[0], scan("unscannable", "345678", images=[FILES["label"]]), *SCANS[2:]],
    "barcode_collections": COLLECTED,
}
CASES = [
    Case(
        "An order is followed through its day, with its times and places as far as it has come.",
        [
            *(FIELDS + name for name in ("status", "startTime", "startPosition", "endTime", "endPosition")),
            FIELDS + "tracking_url",
            *(STATUS + name for name in ("unscheduled", "scheduled", "on_route", "servicing", "success", "failed")),
            *(STATUS + name for name in ("rejected", "cancelled")),
            GET + "response/Completion Response/data",
        ],
        fleet(),
        settings(planningSeconds=0.2, timeZone="Asia/Tokyo"),
        orders(*(order(number, timeWindows=[window]) for number, window in WINDOWS.items())),
        details({number: {"status": "unscheduled"} for number in WINDOWS}),
        plan(DAY),
        details({number: {"status": "scheduled"} for number in WINDOWS}),
        send(DAY),
        acts(action("on_duty", AT)),
        details({number: {"status": "scheduled"} | TRACKED for number in WINDOWS}),
        acts(action("start_route", AT + 10)),
        details({"O1": {"status": "on_route"} | TRACKED, "O2": {"status": "scheduled"} | TRACKED}),
        acts(action("start_service", AT + 60, orderNo="O1", position=HERE)),
        details({"O1": {"status": "servicing", "startTime": at(60), "startPosition": FAR} | TRACKED}),
        acts(
            action("success", AT + 90, orderNo="O1", position=HERE),
            action("start_service", AT + 100, orderNo="O2"),
            action("failed", AT + 110, orderNo="O2", form={"note": "nobody there"}),
            action("rejected", AT + 120, orderNo="O3", position=HERE),
        ),
        details(
            {
                "O1": {
                    "status": "success",
                    "startTime": at(60),
                    "startPosition": FAR,
                    "endTime": at(90),
                    "endPosition": FAR,
                }
                | TRACKED,
                "O2": {
                    "status": "failed",
                    "startTime": at(100),
                    "endTime": at(110),
                    "form": {"note": "nobody there"},
                }
                | TRACKED,
                "O3": {"status": "rejected"} | TRACKED,
                "O4": {"status": "on_route"} | TRACKED,
            }
        ),
        post("update_completion_details", {"updates": [{"orderNo": "O4", "data": {"status": "cancelled"}}]}),
        details({"O4": {"status": "cancelled"} | TRACKED}),
        settings(orderTracking=False),
        details({"O3": {"status": "rejected"}, "O4": {"status": "cancelled"}}),
    ),
    Case(
        "A form has what the driver filled in; its files are linked once they have come.",
        [
            FIELDS + "form",
            *(FORM + name for name in ("note", "signature", "images", "barcode", "barcode_collections")),
            *(GET + f"response/Image Attachment/{name}" for name in ("type", "url")),
            *(GET + f"response/Barcode Scan/{name}" for name in ("barcode", "scanInfo")),
            *(GET + f"response/Barcode Info/{name}" for name in ("status", "scanned", "images", "type")),
            *(
                GET + f"response/Barcode Status/{name}"
                for name in ("success", "unscannable", "added", "replaced", "missing")
            ),
        ],
        fleet(),
        settings(planningSeconds=0.2, orderTracking=False),
        orders(order("O1", customer="Shop", barcode=[{"barcode": "123456"}]), order("O2")),
        plan(DAY),
        send(DAY),
        acts(action("success", orderNo="O1", form=GIVEN)),
        details(
            {
                "O1": {
                    "status": "success",
                    "endTime": at(0),
                    "form": {"note": GIVEN["note"], "barcode": SCANS, "barcode_collections": COLLECTED},
                }
            }
        ),
        the_phone_hands_in(*FILES),
        details(
            {
                "O1": {
                    "status": "success",
                    "endTime": at(0),
                    "form": {
                        "note": GIVEN["note"],
                        "signature": image("image/png"),
                        "images": [image("image/jpeg"), image("image/png")],
                        "barcode": [
                            SCANS[0],
                            scan("unscannable", "345678", images=[image("image/png")]),
                            *SCANS[2:],
                        ],
                        "barcode_collections": COLLECTED,
                    },
                }
            }
        ),
        every_link_leads_to_the_bytes_that_came,
        office(
            *("POST", "/api/keys", {"role": "customer", "name": "s", "customer": "Shop"}),
            answer={"key": Name("shop"), **MORE},
        ),
        a_customers_link_does_not_tell_where,
        acts(action("failed", orderNo="O2", form={})),
        details({"O2": {"status": "failed", "endTime": at(0)}}),
    ),
    Case(
        "What the account does not ask for is not in the form, and where it asks for nothing there is none.",
        [FIELDS + "form", FORM + "note", FORM + "barcode"],
        *sent("O1"),
        settings(orderTracking=False),
        acts(action("success", orderNo="O1", form={"note": "x", "barcode": SCANS[:1]})),
        details({"O1": {"form": {"note": "x", "barcode": SCANS[:1]}, **MORE}}),
        settings(proofOfDelivery={"success": {"note": "off", "barcode": "off"}, "failed": {"note": "required"}}),
        details({"O1": {"form": {"barcode": SCANS[:1]}, **MORE}}),
        settings(proofOfDelivery={"success": {"signature": "off", "images": "off"}}),
        details({"O1": {"status": "success", "endTime": at(0)}}),
    ),
    Case(
        "Orders are asked for by number, by id or by both, by POST and by GET; each is answered as it was asked for.",
        [
            GET + "request/orders",
            GET + "request/orderNo",
            GET + "response/success",
            GET + "response/orders",
            *(GET + f"response/Completion Response/{name}" for name in ("orderNo", "id", "success", "code", "message")),
            *(GET + f"errors/ERR_{code}" for code in ("ORD_NOT_FOUND", "MULTIPLE_ORD_FOUND")),
        ],
        orders(order("O1")),
        *(
            post("create_or_update_orders", {"orders": [order("B", operation="CREATE", acceptDuplicateOrderNo=True)]})
            for _ in range(2)
        ),
        post(
            "get_completion_details",
            {
                "orders": [
                    {"orderNo": "O1"},
                    {"id": Name("O1")},
                    {"id": Name("O1"), "orderNo": "none"},
                    {"orderNo": "none"},
                    {"id": "none", "orderNo": "O1"},
                    {"orderNo": "B"},
                    {},
                ]
            },
            {
                "success": True,
                "orders": [
                    {"success": True, "orderNo": "O1", "data": {"status": "unscheduled"}},
                    {"success": True, "id": Name("O1"), "data": {"status": "unscheduled"}},
                    {"success": True, "id": Name("O1"), "orderNo": "none", "data": {"status": "unscheduled"}},
                    refused("ERR_ORD_NOT_FOUND", orderNo="none"),
                    refused("ERR_ORD_NOT_FOUND", id="none", orderNo="O1"),
                    refused("ERR_MULTIPLE_ORD_FOUND", orderNo="B"),
                    refused("ERR_INVALID_PARAM_FORMAT"),
                ],
            },
        ),
        get(
            "get_completion_details",
            {
                "success": True,
                "orders": [
                    {"success": True, "orderNo": "O1", "data": {"status": "unscheduled"}},
                    refused("ERR_ORD_NOT_FOUND", orderNo="none"),
                ],
            },
            orderNo=["O1", "none"],
        ),
        get(
            "get_completion_details",
            {"success": False, "orders": [refused("ERR_ORD_NOT_FOUND", orderNo="none")]},
            orderNo="none",
        ),
        get("get_completion_details", refused("ERR_MISSING_MAND_FIELD")),
        post("get_completion_details", {"orders": [{"orderNo": "O1"}] * 501}, refused("ERR_INVALID_PARAM_FORMAT")),
    ),
]
