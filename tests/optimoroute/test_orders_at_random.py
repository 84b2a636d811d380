"""Any orders, saved and deleted in any way, against a model of what the document says of it, a page long."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Company, Server

DAYS = ["2026-03-02", "2026-03-03"]
NUMBERS = ["A", "B", "C", "D"]
HERE = {"locationName": "Here", "latitude": 45.8, "longitude": 16.0}
DEFAULTS = {"type": "T", "duration": 5, "notes": "", "load1": 0, "timeWindows": [], "customField3": ""}
THERE = {"locationName": "There", "latitude": 45.9, "longitude": 16.1}
LOCATIONS: list[dict[str, Any]] = [
    *[HERE] * 8,
    THERE,
    THERE | {"locationNo": "L1"},
    {"locationNo": "L1"},
    {"locationNo": "L2", "latitude": 1, "longitude": 2},
    {"locationNo": "L2", "notes": "gate"},
    {"address": "1 High Street", "latitude": 3, "longitude": 4},
    {"address": "1 High Street"},
    {"address": "1 High Street", "locationNo": "L3"},
    {"checkInTime": 5},
]
ROUNDS, AT_ONCE = 20, 8


@pytest.fixture
def company(place: str, tmp_path: Path) -> Iterator[Company]:
    """An account on a server that keeps everything in SQLite, and on one that keeps it in PostgreSQL."""
    environment = {"CODRIVER_DATABASE_URL": place} if "://" in place else {}
    server = Server(tmp_path / "data", environment=environment).start()
    try:
        yield server.account()
    finally:
        server.kill()


class Model:
    """What is stored, by id: the fields of each order that the draw tells, and nothing of links."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}

    def expected(self, item: dict[str, Any], single: bool) -> str | None:
        """The id of the order that this changes, "" for a new one, or as an exception the code that refuses it."""
        operation, number = item.get("operation"), item.get("orderNo")
        same = [key for key, order in self.orders.items() if number is not None and order["orderNo"] == number]
        named = item.get("id")
        if single and (missing := self._missing_of_single(item)):
            raise Refused(missing)
        if operation == "CREATE":
            if named is not None and not single:
                raise Refused("ERR_INVALID_PARAM_FORMAT")
            if same and not item.get("acceptDuplicateOrderNo"):
                raise Refused("ERR_ORD_EXISTS")
            return ""
        if named is not None:
            if named not in self.orders:
                raise Refused("ERR_ORD_NOT_FOUND")
            taken = [key for key in same if key != named]
            renamed = number is not None and number != self.orders[named]["orderNo"]
            if single and renamed and taken and not item.get("acceptDuplicateOrderNo"):
                raise Refused("ERR_ORD_EXISTS")
            return named
        if len(same) > 1:
            raise Refused("ERR_MULTIPLE_ORD_FOUND")
        if not same and operation == "UPDATE":
            raise Refused("ERR_ORD_NOT_FOUND" if number else "ERR_INVALID_PARAM_FORMAT")
        return same[0] if same else ""

    def save(self, item: dict[str, Any], single: bool, order_id: str) -> None:
        """What becomes of an order that was saved under this id."""
        told = {name: value for name, value in item.items() if name in {*DEFAULTS, "date", "orderNo"}}
        old = self.orders.get(order_id)
        if old is None:
            old = {**DEFAULTS, "orderNo": None}
        elif item.get("operation") == "SYNC":
            old = {**DEFAULTS, "orderNo": old["orderNo"], "date": old["date"]}
        self.orders[order_id] = old | told

    def lacks(self, item: dict[str, Any], single: bool) -> str | None:
        """The code that refuses a new order without what it needs."""
        needed = ("date", "type", "location") if single else ("date", "location")
        code = "ERR_MISSING_MAND_FIELD" if single else "ERR_INVALID_PARAM_FORMAT"
        return code if any(name not in item for name in needed) else None

    def _missing_of_single(self, item: dict[str, Any]) -> str | None:
        named = "id" in item or "orderNo" in item
        lacks = self.lacks(item, True) if item["operation"] in ("CREATE", "SYNC") else None
        return lacks or (None if named else "ERR_MISSING_MAND_FIELD")


class Refused(Exception):
    pass


def draw(rng: random.Random, known: list[str]) -> dict[str, Any]:
    """An order of which anything may be told; mostly enough to create it."""
    item: dict[str, Any] = {"date": rng.choice(DAYS), "type": rng.choice("DPT"), "location": rng.choice(LOCATIONS)}
    for name in ("date", "type", "location"):
        if rng.random() < 0.15:
            del item[name]
    if rng.random() < 0.9:
        item["orderNo"] = rng.choice(NUMBERS)
    if rng.random() < 0.25:
        item["id"] = rng.choice([*known, "0" * 32])
    if rng.random() < 0.8:
        item["operation"] = rng.choice(["CREATE", "UPDATE", "SYNC", "MERGE"])
    if rng.random() < 0.2:
        item["acceptDuplicateOrderNo"] = True
    some = {
        "duration": rng.choice([0, 1.5, 60]),
        "notes": f"note {rng.random():.3f}",
        "load1": rng.choice([1, 2.5]),
        "timeWindows": [{"twFrom": "08:00", "twTo": "09:00"}],
        "customField3": "three",
    }
    return item | {name: value for name, value in some.items() if rng.random() < 0.3}


def check(company: Company, model: Model) -> None:
    """What is stored is what the model has; links go both ways, between a pickup and a delivery; numbers of locations
    are given once."""
    found = stored(company)
    shown = {
        key: {name: data[name] for name in DEFAULTS}
        | {"date": data["date"], "orderNo": None if data["orderNo"] == "-" else data["orderNo"]}
        for key, data in found.items()
    }
    assert shown == model.orders
    for key, data in found.items():
        if data["relatedId"] is not None:
            other = found[data["relatedId"]]
            assert other["relatedId"] == key, "the other one is linked to this one"
            assert {data["type"], other["type"]} == {"P", "D"}
            assert data["relatedOrderNo"] == (None if other["orderNo"] == "-" else other["orderNo"])

    numbers = [
        each["locationNo"] for each in company.client.get("/api/locations", params={"limit": 500}).json()["items"]
    ]
    assert len(set(numbers) - {""}) == len([each for each in numbers if each])


def stored(company: Company) -> dict[str, dict[str, Any]]:
    """Every order by id."""
    search = {"dateRange": {"from": DAYS[0], "to": DAYS[-1]}, "includeOrderData": True}
    return {each["id"]: each["data"] for each in company.v1("search_orders", search)["orders"]}


def places(company: Company, but: str = "") -> dict[str, tuple[float, float]]:
    """Where each order is for, but for this one."""
    found = {key: data["location"] for key, data in stored(company).items() if key != but}
    return {key: (place["latitude"], place["longitude"]) for key, place in found.items()}


def save_one(company: Company, model: Model, item: dict[str, Any]) -> None:
    """By create_order, which moves no other order's place where it names no location by number."""
    item = {"operation": "MERGE"} | item
    before = places(company)
    answer = company.v1("create_order", item)
    settle(model, item, answer, single=True)
    if "locationNo" not in item.get("location", {}):
        before.pop(answer.get("id", ""), None)
        assert places(company, answer.get("id", "")) == before, item


def settle(model: Model, item: dict[str, Any], answer: dict[str, Any], single: bool) -> None:
    try:
        order_id = model.expected(item, single)
        if order_id == "" and (code := model.lacks(item, single)):
            raise Refused(code)
    except Refused as refused:
        assert (answer["success"], answer.get("code")) == (False, str(refused)), (item, answer)
        return
    if answer.get("code", "").startswith(("ERR_RELATED_ORD", "ERR_LOC")):
        return  # the model knows nothing of links and places; these are checked by what is there
    assert answer["success"] is True, (item, answer)
    assert answer["id"] == order_id if order_id else answer["id"] not in model.orders, (item, answer)
    model.save(item, single, answer["id"])


def test_any_orders_saved_in_any_way_are_as_the_document_says(company: Company, rng: random.Random) -> None:
    model = Model()
    for _ in range(ROUNDS):
        known = list(model.orders)
        items = [draw(rng, known) for _ in range(AT_ONCE)]
        for item in items:
            if rng.random() < 0.4:
                item["relatedOrderNo"] = rng.choice([*NUMBERS, None])
            elif known and rng.random() < 0.4:
                item["relatedId"] = rng.choice(known)
        for item in items[:2]:
            save_one(company, model, item)
        for item, answer in zip(
            items[2:], company.v1("create_or_update_orders", {"orders": items[2:]})["orders"], strict=True
        ):
            settle(model, item, answer, single=False)
        check(company, model)
        if rng.random() < 0.5 and model.orders:
            delete_some(company, model, rng)
            check(company, model)


def delete_some(company: Company, model: Model, rng: random.Random) -> None:
    if rng.random() < 0.1:
        day = rng.choice(DAYS)
        assert company.v1("delete_all_orders", {"date": day})["success"]
        model.orders = {key: order for key, order in model.orders.items() if order["date"] != day}
        return
    chosen = rng.sample(list(model.orders), k=min(3, len(model.orders)))
    many = rng.random() < 0.5
    names = [{"id": chosen[0]}, *({"orderNo": model.orders[key]["orderNo"] or "none"} for key in chosen[1:])]
    answers = company.v1("delete_orders", {"orders": names, "deleteMultiple": many})["orders"]
    for name, answer in zip(names, answers, strict=True):
        fits = [
            key for key, o in model.orders.items() if key == name.get("id") or o["orderNo"] == name.get("orderNo", 0)
        ]
        allowed = len(fits) == 1 or (many and bool(fits))
        assert answer["success"] is allowed, (name, fits, answer)
        for key in fits if allowed else ():
            del model.orders[key]
