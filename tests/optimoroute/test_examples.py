"""The document's own requests, on an account that has what they name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.optimoroute.document import Example, examples
from tests.optimoroute.scenes import order, orders
from tests.optimoroute.table import MORE, OK, Case, Name, Play, Step, office, refused
from tests.optimoroute.test_coverage import DOCUMENT
from tests.serving import Server

PHARMACY = {"locationName": "Green Cross Pharmacy North End", "address": "393 Hanover St, Boston, MA 02113, USA"}
THERE = {"latitude": 42.3651425, "longitude": -71.0528824}
STOCK: tuple[Play, ...] = (
    office(
        "PUT",
        "/api/fleet",
        {
            "skills": [{"code": "SK001", "name": "Fridge"}, {"code": "SK002", "name": "Piano"}],
            "vehicleFeatures": [{"code": "FR", "name": "Freezer"}],
            "vehicles": [{"externalId": "V1", "registration": "VEH001"}],
            "drivers": [
                {"externalId": external_id, "serial": serial, "name": f"Driver {serial}"}
                for external_id, serial in (
                    ("DRV001", "001"),
                    ("3945300304540", "011"),
                    ("001", "S001"),
                    ("002", "S002"),
                    ("S003", "S003"),
                    ("004", "S004"),
                )
            ],
        },
    ),
    office("POST", "/api/locations", PHARMACY | THERE),
)
KNOWN = orders(*(order("1", orderNo=number, date="2014-10-14") for number in ("ORD001", "ORD55", "ORD56")))
NOT_FOUND = "ERR_ORD_NOT_FOUND"


def part(*numbers: str, **fields: Any) -> list[dict[Any, Any]]:
    """An answer for each number; those that begin with an exclamation mark are not found."""
    found = [
        refused(NOT_FOUND, orderNo=each[1:]) if each[0] == "!" else {"success": True, **MORE, **fields}
        for each in numbers
    ]
    return found


STRANGER = refused(NOT_FOUND, id=str)
NEW = {"success": True, "id": str}
DRIVER = {"success": True, "driver": dict}
# What each example is answered, in the order of the document; where there are several for a method, in a list.
ANSWERS: dict[str, list[Any]] = {
    "create_order": [
        {
            "success": True,
            "id": str,
            "location": {
                "notes": "",
                **PHARMACY,
                **THERE,
                "locationNo": "LOC001",
                "valid": True,
                "checkInTime": 0,
            },
        }
    ],
    "create_or_update_orders": [
        {
            "success": True,
            "orders": [
                NEW | {"orderNo": "54913250"},
                {
                    "success": False,
                    "code": "ERR_LOC_NON_EXISTING_LOC",
                    "message": "The location with the given location number does not exist.",
                    "orderNo": "27463225",
                    "locationNo": "999999999",
                },
                NEW | {"orderNo": "09463221"},
            ],
        }
    ],
    "get_orders": [
        {"success": True, "orders": [*part("ORD001", "!ORD99"), STRANGER]},
        {"success": True, "orders": part("ORD001", "!ORD99")},
    ],
    "delete_order": [{"success": True}],
    "delete_all_orders": [{"success": True}],
    "delete_orders": [
        {"success": True, "orders": [{"success": True, "orderNo": "ORD001"}, *part("!ORD999"), STRANGER]}
    ],
    "get_routes": [{"success": True, "routes": []}] * 2,
    "get_scheduling_info": [{"success": True, "orderScheduled": False}],
    "start_planning": [refused("ERR_OPT_NO_REQUESTS")],
    "stop_planning": [refused("ERR_JOB_NOT_FOUND")],  # the name of its field begins with a blank
    "get_planning_status": [refused("ERR_JOB_NOT_FOUND")],
    "update_driver_parameters": [OK],
    "update_drivers_parameters": [
        {
            "success": True,
            "updates": [
                {**DRIVER, "date": "2022-02-15"},
                {**MORE, "success": False, "code": "ERR_MISSING_MAND_FIELD"},  # the name "to:" ends with a colon
            ],
        }
    ],
    "get_events": [{**MORE, "success": True, "events": [], "tag": Name("tag"), "remainingEvents": 0}] * 2
    + [{**MORE, "success": False, "code": "ERR_INVALID_PARAM_FORMAT"}] * 2,
    "get_completion_details": [
        {"success": True, "orders": [*part("ORD001", "!ORD99", "ORD55", "!XXXYZ"), STRANGER]},
        {"success": True, "orders": part("ORD001", "!ORD99", "ORD55", "!XXXYZ")},
    ],
    "update_completion_details": [
        {**MORE, "success": True, "orders": [*part("ORD001", "!ORD99", "ORD55", "ORD56", "!XXXYZ"), STRANGER]}
    ],
    "update_drivers_positions": [
        {"success": True, "updates": [DRIVER] * 3 + [refused("ERR_MULTIPLE_DRV_POS", driver={"serial": "S004"})] * 2}
    ],
    "search_orders": [{"success": True, "orders": []}] * 3,
}


def test_the_documents_own_requests_are_answered(server: Server, shared: Callable[[str], Path]) -> None:
    shown = examples(shared(DOCUMENT).read_text())
    for method, answers in ANSWERS.items():
        stock = STOCK if method == "create_order" else (*STOCK, KNOWN)
        asked = [each for each in shown if each.method == method]
        assert len(asked) == len(answers), method
        for example, answer in zip(asked, answers, strict=True):
            Case(method, [], *stock, _asked(example, answer))(server.account())
    assert {each.method for each in shown} == ANSWERS.keys()


def _asked(example: Example, answer: Any) -> Step:
    verb = "GET" if example.body is None else "POST"
    return Step(verb, f"/v1/{example.method}", example.body, example.query, answer=answer)
