import msgspec

from simulator.geography import metres_between
from simulator.town import DEPOTS, town


def test_the_same_seed_gives_the_same_town_byte_for_byte():
    first, again, other = (msgspec.json.encode(town(seed, "2026-03-02", 25, 320)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_orders_are_varied_and_lie_in_the_town():
    orders = town(1, "2026-03-02", 25, 320).orders
    assert len({order["orderNo"] for order in orders}) == 320
    assert {order["type"] for order in orders} == {"D", "P", "T"}
    assert {order["priority"] for order in orders} == set("LMHC")
    assert any(order["timeWindows"] for order in orders) and any(not order["timeWindows"] for order in orders)
    assert any(order["skills"] for order in orders)
    assert any(len(order.get("barcode", [])) > 1 for order in orders)
    centre = (45.8050, 15.9800)
    assert all(
        metres_between(centre, (order["location"]["latitude"], order["location"]["longitude"])) < 12_000
        for order in orders
    )
    assert len({order["location"]["address"] for order in orders}) > 280


def test_every_driver_has_a_van_a_depot_and_working_hours():
    fleet = town(1, "2026-03-02", 25, 0).fleet
    vans = {vehicle["externalId"] for vehicle in fleet["vehicles"]}
    assert len(fleet["drivers"]) == len(vans) == 25
    for driver in fleet["drivers"]:
        assert driver["vehicle"] in vans
        assert driver["workTime"] == {"from": "08:00", "to": "14:00"}
        assert driver["startLocation"]["address"] in {depot[2] for depot in DEPOTS}


def test_every_skill_that_an_order_needs_some_driver_has():
    drawn = town(5, "2026-03-02", 6, 200)
    known = {skill for driver in drawn.fleet["drivers"] for skill in driver["skills"]}
    assert {skill for order in drawn.orders for skill in order["skills"]} <= known


def test_barcodes_carry_their_check_digit():
    for order in town(1, "2026-03-02", 1, 50).orders:
        for barcode in order.get("barcode", []):
            digits = [int(digit) for digit in barcode["barcode"]]
            assert len(digits) == 13
            assert (sum(digits[0::2]) + 3 * sum(digits[1::2])) % 10 == 0
