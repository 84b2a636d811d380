"""So many requests of one key at the same time, and the next is refused at once: unread, undone, nobody else's loss."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.optimoroute.halfway import ASK, Wire
from tests.serving import Company, eventually

LIMIT = 5


@pytest.fixture
def held(company: Company) -> Iterator[Callable[..., list[Wire]]]:
    """``held(5)``: so many requests whose bodies have begun and do not go on, and each holds a place."""
    with ExitStack() as open_:

        def begin(caller: Company) -> Wire:
            wire = Wire(caller)
            open_.callback(wire.close)
            wire.send(3)
            return wire

        def hold(count: int = LIMIT, caller: Company = company) -> list[Wire]:
            wires = [begin(caller) for _ in range(count)]

            def full() -> bool:
                """One that came while the question was asked was refused, and is begun anew."""
                wires[:] = [begin(caller) if wire.answered() else wire for wire in wires]
                return refused(caller)

            eventually(full, what="a refusal")
            return wires

        yield hold


def refused(company: Company) -> bool:
    return company.v1("get_events").get("code") == "ERR_TOO_MANY_CONNECTIONS"


def test_slow_bodies_hold_their_places_until_they_are_answered(company: Company, held) -> None:
    wires = held()
    wires[0].send(len(ASK) - 4)  # all but its last byte
    assert refused(company)
    wires[0].send()
    assert wires[0].answer()["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"
    assert not refused(company)
    held(1)
    for wire in wires[1:]:
        wire.send()
        assert wire.answer()["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"


def test_one_request_too_many_is_not_done(company: Company, held) -> None:
    """It would have made an order, changed another and deleted a third."""
    place = {"locationName": "x", "latitude": 45.8, "longitude": 16.0}
    orders = [{"orderNo": number, "date": "2026-03-02", "notes": "old", "location": place} for number in ("A", "B")]
    assert company.v1("create_or_update_orders", {"orders": orders})["success"]
    wires = held()
    made = company.v1(
        "create_or_update_orders", {"orders": [orders[0] | {"notes": "new"}, orders[0] | {"orderNo": "C"}]}
    )
    gone = company.v1("delete_orders", {"orders": [{"orderNo": "B"}]})
    all_gone = company.v1("delete_all_orders", {})
    assert {answer["code"] for answer in (made, gone, all_gone)} == {"ERR_TOO_MANY_CONNECTIONS"}
    for wire in wires:
        wire.send()
        wire.answer()
    found = company.v1("get_orders", {"orders": [{"orderNo": number} for number in "ABC"]})["orders"]
    assert [each["data"]["notes"] if each["success"] else each["code"] for each in found] == [
        "old",
        "old",
        "ERR_ORD_NOT_FOUND",
    ]


def test_one_request_too_many_is_answered_before_its_body_has_come(company: Company, held) -> None:
    held()
    unread = Wire(company, b"", length=5 << 20)
    assert unread.answer()["code"] == "ERR_TOO_MANY_CONNECTIONS"
    unread.close()


def test_one_request_too_many_is_not_even_decoded(company: Company, held) -> None:
    held()
    wire = Wire(company, b"no JSON at all")
    wire.send()
    assert wire.answer()["code"] == "ERR_TOO_MANY_CONNECTIONS"
    wire.close()


def test_a_request_that_breaks_off_gives_its_place_back(company: Company, held) -> None:
    for wire in held():
        wire.close()
    eventually(lambda: not refused(company), what="the places of what was broken off")
    held()  # all five of them


def test_a_wrong_key_holds_no_place_of_anybody(company: Company, held) -> None:
    stranger = Company(company.server, company.key[:-1] + ("x" if company.key[-1] != "x" else "y"))
    wires = [Wire(stranger) for _ in range(3 * LIMIT)]
    for wire in wires:
        wire.send(3)
    assert {wire.answer()["code"] for wire in wires} == {"AUTH_KEY_UNKNOWN"}
    assert not refused(company)
    held()
    for wire in wires:
        wire.close()


def test_a_key_that_is_not_for_the_method_holds_no_place(company: Company) -> None:
    made = company.client.post("/api/keys", json={"role": "viewer", "name": "screen"}).json()
    viewer = Company(company.server, made["key"])
    wires = [Wire(viewer) for _ in range(2 * LIMIT)]
    for wire in wires:
        wire.send(3)
    assert {wire.answer()["code"] for wire in wires} == {"AUTH_KEY_UNKNOWN"}
    for wire in wires:
        wire.close()


def test_another_key_of_the_account_has_places_of_its_own(company: Company, held) -> None:
    made = company.client.post("/api/keys", json={"role": "tenant", "name": "second"}).json()
    second = Company(company.server, made["key"])
    held()
    assert not refused(second)
    held(caller=second)
    assert refused(company) and refused(second)


@pytest.mark.parametrize("own", [1, 2, 7])
def test_an_account_has_the_limit_that_it_sets(company: Company, held, own: int) -> None:
    assert company.client.patch("/api/settings", json={"maxConcurrentRequests": own}).status_code == 200
    wires = held(own)
    wires[0].close()
    eventually(lambda: not refused(company), what="a place")


def test_a_limit_that_is_changed_holds_from_then_on(company: Company, held) -> None:
    held()
    assert company.client.patch("/api/settings", json={"maxConcurrentRequests": LIMIT + 1}).status_code == 200
    assert not refused(company)
    assert company.client.patch("/api/settings", json={"maxConcurrentRequests": 0}).status_code == 200
    assert not refused(company)
    assert company.client.patch("/api/settings", json={"maxConcurrentRequests": 2}).status_code == 200
    assert refused(company)


def test_the_office_and_the_phones_are_not_counted(company: Company, held) -> None:
    phone = company.driver()
    held()
    assert company.client.get("/api/settings").status_code == 200
    fix = {"timestamp": 1_772_452_800, "latitude": 45.8, "longitude": 16.0}
    assert phone.client.post("/driver/v1/positions", json={"positions": [fix]}).json()["accepted"] == 1


def test_many_clients_with_five_requests_at_once_are_never_refused(company: Company) -> None:
    def one(_: int) -> bool:
        with httpx.Client() as client:
            url, params = f"{company.server.url}/v1/get_events", {"key": company.key}
            return all(client.get(url, params=params).json()["success"] for _ in range(10))

    with ThreadPoolExecutor(LIMIT) as pool:
        assert all(pool.map(one, range(LIMIT)))


def test_without_a_limit_nothing_is_refused(company: Company) -> None:
    assert company.client.patch("/api/settings", json={"maxConcurrentRequests": 0}).status_code == 200
    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(lambda _: company.v1("get_events")["success"], range(60)))
