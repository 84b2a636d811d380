"""What the cases begin with: a fleet, orders, and a plan that was sent."""

import re
import uuid
from datetime import datetime
from typing import Any

from tests.optimoroute.table import MORE, Name, Play, Stage, Step, office, phone, plan, post, send

DAY = "2026-03-02"  # a Monday
AT = 1772442000  # 2026-03-02T09:00:00Z, which is 10:00 at the places below
DEPOT = {"latitude": 45.8, "longitude": 15.97, "address": "Depot"}
HERE = {"timestamp": AT - 2, "latitude": 45.81, "longitude": 16.0, "accuracy": 4.5, "speed": 3.5, "heading": 90.5}
MOMENT = re.compile(DAY + r" [0-2]\d:[0-5]\d:[0-5]\d")


def settings(**fields: Any) -> Step:
    return office("PATCH", "/api/settings", fields)


def fleet(drivers: int = 1, **fields: Any) -> Step:
    """Drivers D1, D2, … with serials S1, …, names "Driver 1", … and vehicles V1, … with registrations VEH1, …"""
    numbers = range(1, drivers + 1)
    return office(
        "PUT",
        "/api/fleet",
        {
            "vehicles": [
                {"externalId": f"V{n}", "registration": f"VEH{n}", "label": f"Van {n}"}
                | {f"capacity{index}": 100 for index in range(1, 5)}
                for n in numbers
            ],
            "drivers": [
                {"externalId": f"D{n}", "serial": f"S{n}", "name": f"Driver {n}", "vehicle": f"V{n}"}
                | {"workTime": {"from": "08:00", "to": "17:00"}, "startLocation": DEPOT, "endLocation": DEPOT}
                | fields
                for n in numbers
            ],
        },
    )


def twins() -> tuple[Play, ...]:
    """Two drivers and two vehicles of which nobody can say which is meant."""
    driver = {"name": "Twin", "externalId": "twin", "serial": "twin"}
    vehicle = {"registration": "TWIN", "externalId": "twin"}
    return tuple(
        office("POST", f"/api/{kind}", body) for kind, body in (("drivers", driver), ("vehicles", vehicle)) * 2
    )


def order(number: str, **fields: Any) -> dict[str, Any]:
    """In town, at 16.00° east: at 45.80° north where the number ends in 0 or in a letter, each next 0.005° farther."""
    north = int(number[-1]) if number[-1].isdigit() else 0
    place = {"locationName": f"Place {number}", "latitude": round(45.8 + north / 200, 3), "longitude": 16.0}
    told = {"orderNo": number, "date": DAY, "duration": 10, "type": "D", "load1": 1, "location": place}
    return {key: value for key, value in (told | fields).items() if value is not ...}


def orders(*given: dict[str, Any]) -> Step:
    """Saves these, and calls the id of each by its number."""
    told = [{"success": True, "id": Name(each["orderNo"]), **MORE} for each in given]
    return post("create_or_update_orders", {"orders": list(given)}, {"success": True, "orders": told})


def sent(*numbers: str, drivers: int = 1) -> tuple[Play, ...]:
    """A sent plan of these orders; with one driver, D1 has them all."""
    return fleet(drivers), settings(planningSeconds=0.2), orders(*map(order, numbers)), plan(DAY), send(DAY)


def routes(stage: Stage, **query: Any) -> list[dict[str, Any]]:
    answer = stage.company.v1("get_routes", **({"date": DAY} | query))
    assert answer["success"], answer
    found: list[dict[str, Any]] = answer["routes"]
    return found


def planned(*expected: dict[str, list[str]]) -> Play:
    """The orders of each driver's planned route, in any order, as one of these."""

    def play(stage: Stage) -> None:
        found = {each["driverExternalId"]: sorted(s["orderNo"] for s in each["stops"]) for each in routes(stage)}
        assert found in expected

    return play


def moment(unix: int, utc: str, local: str) -> dict[str, Any]:
    """The Time object."""
    return {"unixTimestamp": unix, "utcTime": utc, "localTime": local}


def action(word: str, at: float = AT, **fields: Any) -> dict[str, Any]:
    """What a phone reports."""
    return {"id": str(uuid.uuid4()), "action": word, "timestamp": at} | fields


def acts(*actions: dict[str, Any], driver: str = "D1") -> Step:
    """The driver's phone reports these, and all are taken."""
    done = [{"id": each["id"], "success": True, **MORE} for each in actions]
    return phone(driver, "actions", {"actions": list(actions)}, {"actions": done})


def unix(utc: str) -> int:
    return round(datetime.fromisoformat(utc + "+00:00").timestamp())
